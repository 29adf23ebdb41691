"""Messages without a socket: any bytes, any JSON, any mutilated request; units, phases, places, contexts."""

import copy
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocpp.v16.enums import Measurand, Phase
from ocpp.v21.enums import MeasurandEnumType as Measurand21
from ocpp.v201.enums import MeasurandEnumType as Measurand201
from tests.field import station as make_station
from tests.gateways.ocpp.stations import AT, VERSIONS
from tests.nodes import refused

from yunmeng.gateways.ocpp.central import Central
from yunmeng.gateways.ocpp.codec import OcppCodec
from yunmeng.gateways.ocpp.commands import COMMANDS, build
from yunmeng.gateways.ocpp.messages import Call, CallError, CallResult, CallResultError, Message, SendCall
from yunmeng.gateways.ocpp.metering import samples
from yunmeng.gateways.ocpp.schemas import REQUEST, actions, violation
from yunmeng.gateways.ocpp.session import OcppSession
from yunmeng.gateways.ocpp.simulator import SimulatedStation
from yunmeng.gateways.ocpp.tokens import Tokens
from yunmeng.kernel.base import instant_us
from yunmeng.kernel.sense import Answer, Command, Effect, Greeting, Identify, Observe, Refuse, Send

CODEC = OcppCodec()
NOW = instant_us(AT)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=20), anything, max_size=4)
ids = st.text(min_size=1, max_size=36)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Call, ids, st.text(), objects),
    st.builds(CallResult, ids, objects),
    st.builds(CallError, ids, st.text(), st.text(), objects),
    st.builds(CallResultError, ids, st.text(), st.text(), objects),
    st.builds(SendCall, ids, st.text(), objects),
)


def session(version: str, **options: str) -> OcppSession:
    made = OcppSession(replace(make_station("ocpp", **options), greeting=Greeting("CP-7", f"ocpp{version}")))
    assert list(made.opened(NOW)) == [Identify("CP-7")]
    return made


def heard(made: OcppSession, message: bytes) -> list[Effect]:
    """What one message leads to; every request is answered, by itself or once it is safe."""
    effects = list(made.received(message, NOW))
    assert all(isinstance(each, Send | Observe | Refuse | Identify) for each in effects)
    return effects


def answered(effects: Iterable[Effect]) -> list[Any]:
    (reply,) = [
        each.data if isinstance(each, Send) else each.reply
        for each in effects
        if hasattr(each, "reply") or isinstance(each, Send)
    ]
    return json.loads(reply)


@given(st.integers(1, 40), st.integers(0, 2**40), st.integers(0, 30 * 86_400))
def test_the_number_of_a_transaction_tells_its_connector_for_a_month(
    connector: int, began_s: int, lasts_s: int
) -> None:
    began, ended = began_s * 1_000_000, (began_s + lasts_s) * 1_000_000
    number = Central(Tokens()).number("CP-7", connector, began, "who")
    assert 0 < number < 2**31
    other = Central(Tokens())
    assert other.number("CP-7", connector, began, "who") == number
    assert other.number("CP-7", connector, began, "another") != number
    assert other.running16("CP-7", number, ended).evse == (connector if connector <= 7 else 0)
    assert not other.running16("CP-7", number, ended + 60 * 86_400_000_000).evse
    assert not other.running16("CP-7", -1, ended).evse


@given(messages)
def test_a_message_survives_its_bytes(message: Message) -> None:
    frame = CODEC.encode(message)
    assert CODEC.decode(frame) == message
    assert CODEC.encode(CODEC.decode(frame)) == frame
    assert CODEC.cut(bytearray(frame)) == [frame]


@given(st.binary(max_size=300) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for version in VERSIONS:
        heard(session(version), data)


@settings(max_examples=200)
@given(st.data(), st.sampled_from(VERSIONS), objects)
def test_any_payload_of_any_action_is_answered(
    data: st.DataObject, version: str, payload: dict[str, Any]
) -> None:
    action = data.draw(st.sampled_from(sorted(actions(version))))
    reply = answered(heard(session(version), CODEC.encode(Call("7", action, payload))))
    assert reply[0] in (3, 4)
    assert reply[1] == "7"


def requests(version: str) -> list[Call]:
    played = SimulatedStation(1, 1, version)
    calls = [played.boot(), played.status("Charging", NOW), played.start(NOW)]
    played.transaction = played.transaction or 8
    return [*calls, played.report(NOW, 60), played.stop(NOW)]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *[place for key, each in inner for place in places(each, (*path, key))]]


@settings(max_examples=400)
@given(st.data(), st.sampled_from(VERSIONS))
def test_a_mutilated_request_is_answered_and_never_kept_in_part(data: st.DataObject, version: str) -> None:
    call = data.draw(st.sampled_from(requests(version)))
    payload = copy.deepcopy(call.payload)
    *path, last = data.draw(st.sampled_from(places(payload)[1:]))
    holder: Any = payload
    for key in path:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = data.draw(anything)
    effects = heard(session(version), CODEC.encode(Call(call.id, call.action, payload)))
    reply = answered(effects)
    assert reply[:2] == [3 if not any(isinstance(each, Refuse) for each in effects) else 4, call.id]
    assert len([each for each in effects if isinstance(each, Observe | Refuse)]) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"meterStart": 10**400},
        {"connectorId": -1},
        {"timestamp": "yesterday"},
        {"timestamp": "0001-01-01T00:00:00+14:00"},
        {"timestamp": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_what_no_meter_and_no_clock_can_say_is_refused(members: dict[str, Any]) -> None:
    body = {"connectorId": 1, "idTag": "1", "meterStart": 5, "timestamp": AT, **members}
    made = session("1.6")
    reply = answered(heard(made, json.dumps([2, "1", "StartTransaction", body]).encode()))
    assert reply[:3] == [4, "1", "PropertyConstraintViolation"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_asked_and_answered_keeps_to_the_schemas(version: str) -> None:
    made = session(version)
    for call in requests(version):
        assert violation(version, REQUEST, call.action, call.payload) is None
        reply = answered(heard(made, CODEC.encode(call)))
        assert reply[0] == 3
        assert violation(version, 3, call.action, reply[2]) is None


@pytest.mark.parametrize(
    ("sampled", "fields"),
    [
        ({"value": "1.005", "unit": "kWh"}, {"Energy.Active.Import.Register": 1005.0}),
        ({"value": " 7 "}, {"Energy.Active.Import.Register": 7.0}),
        (
            {"value": "-0.1", "measurand": "Power.Active.Import", "unit": "kW"},
            {"Power.Active.Import": -100.0},
        ),
        ({"value": "50", "measurand": "Temperature", "unit": "Fahrenheit"}, {"Temperature": 10.0}),
        (
            {"value": "300", "measurand": "Temperature", "unit": "K", "location": "EV"},
            {"Temperature@EV": 26.85},
        ),
        (
            {"value": 5, "measurand": "Energy.Reactive.Import.Register"},
            {"Energy.Reactive.Import.Register": 0.005},
        ),
        (
            {
                "value": 2.5,
                "measurand": "Voltage",
                "phase": "L1-N",
                "unitOfMeasure": {"unit": "V", "multiplier": 2},
            },
            {"Voltage.L1-N": 250.0},
        ),
        ({"value": 3, "measurand": "Voltage", "unitOfMeasure": {"unit": "mV"}}, {"Voltage[mV]": 3.0}),
        ({"value": "T0NNRg==", "format": "SignedData"}, {"signed": "T0NNRg=="}),
        ({"value": "1", "context": "Transaction.Begin"}, {"Energy.Active.Import.Register": 1.0}),
    ],
)
def test_a_sampled_value_is_in_its_base_unit(sampled: dict[str, Any], fields: dict[str, Any]) -> None:
    mapper = make_station("ocpp").mappers["evse"]
    (found,) = samples([{"timestamp": AT, "sampledValue": [sampled]}], mapper)
    context = sampled.get("context", "Sample.Periodic")
    assert found.fields == {"context": context, **fields}
    assert found.at == NOW


@pytest.mark.parametrize("value", ["", "x", "NaN", "Infinity", "1e999", "1e-999999999", "９x"])
def test_what_is_no_number_is_refused(value: str) -> None:
    mapper = make_station("ocpp").mappers["evse"]
    with refused("frame.bad"):
        samples([{"timestamp": AT, "sampledValue": [{"value": value}]}], mapper)


def test_every_measurand_has_an_attribute() -> None:
    mapper = make_station("ocpp").mappers["evse"]
    names = {str(each.value) for kind in (Measurand, Measurand201, Measurand21) for each in kind}
    assert len(names) > 50
    assert {name for name in names if not mapper.knows(name)} == set()
    for measurand in ("Voltage", "Current.Import", "Power.Active.Import", "Energy.Active.Import.Register"):
        phases = [
            phase.value for phase in Phase if "-L" not in phase.value and not phase.value.startswith("N")
        ]
        assert {phase for phase in phases if not mapper.knows(f"{measurand}.{phase}")} == set()
    assert all(mapper.knows(f"Voltage.{phase}") for phase in ("L1-L2", "L2-L3", "L3-L1"))


def test_a_row_for_one_context_goes_before_the_one_for_all() -> None:
    mapper = make_station("ocpp").mappers["evse"]
    values = [{"value": "1", "context": "Other"}, {"value": "2", "context": "Transaction.Begin"}]
    special = "Energy.Active.Import.Register#Transaction.Begin"

    class Wanting:
        def knows(self, name: str) -> bool:
            return name == special or mapper.knows(name)

    (found,) = samples([{"timestamp": AT, "sampledValue": values}], Wanting())  # type: ignore[arg-type]
    assert found.fields == {"context": "Other", "Energy.Active.Import.Register": 1.0, special: 2.0}


ARGUMENTS: dict[str, dict[str, Any]] = {
    "availability": {"operative": True},
    "cancel-reservation": {"reservation": 1},
    "configure": {"C.V": True},
    "data": {"vendor": "A"},
    "firmware": {"url": "u"},
    "get": {"names": ["C[1].V[x]"]},
    "limit": {"limit": 11_000},
    "log": {"url": "u"},
    "reserve": {"reservation": 1, "token": "t", "expires": AT},
    "send-list": {"version": 1, "tokens": []},
    "set": {"name": "C.V", "value": True},
    "start": {"token": "t"},
    "stop": {"transaction": 7},
    "trigger": {"message": "BootNotification"},
    "unlock": {"evse": 1},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_command_makes_a_request_of_its_version(version: str) -> None:
    for name in COMMANDS:
        if version == "1.6" and name == "report":
            with refused("command.unknown"):
                build(name, {}, version)
            continue
        arguments = ARGUMENTS.get(name, {})
        if version != "1.6" and name == "send-list":
            arguments = {"version": 1, "tokens": [{"idToken": {"idToken": "t", "type": "Central"}}]}
        action, payload = build(name, arguments, version)
        assert violation(version, REQUEST, action, payload) is None
        # 1.6 may be asked for everything at once
        if ARGUMENTS.get(name) and (version, name) != ("1.6", "get"):
            with refused("command.arguments"):
                build(name, {}, version)


def test_a_command_that_waited_too_long_for_its_turn_is_never_sent() -> None:
    made = session("1.6")
    first, *_ = made.command(Command("a", "CP-7", "unlock", {"evse": 1}), NOW)
    assert isinstance(first, Send)
    assert list(made.command(Command("b", "CP-7", "reset"), NOW)) == []
    assert list(made.command(Command("c", "CP-7", "reset"), NOW + 25_000_000)) == []
    later = [each for each in made.tick(NOW + 31_000_000) if isinstance(each, Answer | Send)]
    assert [each.command for each in later if isinstance(each, Answer)] == ["a", "b"]
    (sent,) = [json.loads(each.data) for each in later if isinstance(each, Send)]
    assert sent[2] == "Reset"


def test_a_request_gets_the_number_that_it_misses() -> None:
    action, payload = build("GetReport", {}, "2.0.1")
    assert action == "GetReport"
    assert isinstance(payload["requestId"], int)
