"""Payloads: JSON and CBOR by paths, SenML by the examples of RFC 8428, and anything at all."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import station
from tests.nodes import refused

from yunmeng.gateways.coap.endpoint import Ask, read_message, write_message
from yunmeng.gateways.coap.payloads import CBOR, FORMATS, JSON, SENML_CBOR, SENML_JSON, Table, encode
from yunmeng.gateways.coap.senml import resolve
from yunmeng.gateways.coap.session import CoapSession
from yunmeng.gateways.coap.tables import PathPattern, ResourceRow
from yunmeng.kernel.base import BadInput, Broken, instant_us
from yunmeng.kernel.sense import Observe, Refuse

cbor2 = pytest.importorskip("cbor2", reason="the extra `coap` is not installed")
pytest.importorskip("aiocoap", reason="the extra `coap` is not installed")
AT = instant_us("2026-07-01T08:00:00Z")
# RFC 8428 §5.1.1 to §5.1.3, and the CBOR of §6
ONE = '[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]'
TWO = (
    '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]'
)
THREE = (
    '[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,'
    '"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3}]'
)
CBOR_EXAMPLE = bytes.fromhex(
    "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067"
    "766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a300676375727265"
    "6e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f9"
    "3e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333"
)


def weather(**more: Any) -> Table:
    mapper = station("coap").mappers["weather"]
    row = {"temperature": "t", "pressure": "env.p"}
    return Table("weather", ResourceRow("sensors/{device}", row, **more), mapper)


def test_the_pack_of_one_record_is_read() -> None:
    (record,) = resolve(json.loads(ONE), AT)
    assert (record.name, record.unit, record.value, record.at) == (
        "urn:dev:ow:10e2073a01080063",
        "Cel",
        23.1,
        AT,
    )


def test_base_names_units_and_times_count() -> None:
    assert [(each.name[-7:], each.unit, each.value) for each in resolve(json.loads(TWO), AT)] == [
        ("voltage", "V", 120.1),
        ("current", "A", 1.2),
    ]
    base = 1_276_020_076_001_000
    assert [(each.at - base, each.unit, each.value) for each in resolve(json.loads(THREE), AT)] == [
        (0, "V", 120.1),
        (-5_000_000, "A", 1.2),
        (-4_000_000, "A", 1.3),
    ]


def test_the_cbor_example_says_what_its_json_says() -> None:
    records = resolve(cbor2.loads(CBOR_EXAMPLE), AT)
    assert [each.value for each in records] == [120.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    assert {each.name.rpartition(":")[2] for each in records} == {"voltage", "current"}
    assert records[0].unit == "V"
    assert records[-1].at - records[1].at == 5_000_000


def test_base_values_are_added_and_times_near_zero_are_relative() -> None:
    pack = [{"bn": "a:", "bv": 20.0, "n": "t", "v": 1.5, "t": -60}, {"n": "u", "vb": True}]
    first, second = resolve(pack, AT)
    assert (first.value, first.at) == (21.5, AT - 60_000_000)
    assert second.value == 1


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ([], "no SenML pack"),
        ({}, "no SenML pack"),
        ([{"n": "a", "v": 1, "bver": 11}], "bver 11"),
        ([{"n": "a", "v": 1, "must_": 1}], "label must_"),
        ([{"n": "a", "v": 1, "vs": "x"}], "several values"),
        ([{"n": "a", "v": "1"}], "v"),
        ([{"n": "a", "v": True}], "v"),
        ([{"n": "a", "vb": 1}], "vb"),
        ([{"n": "-a", "v": 1}], "name '-a'"),
        ([{"v": 1}], "name ''"),
        ([{"n": "a", "v": 1, "t": 1e12}], "time"),
        ([7], "a record is no object"),
    ],
)
def test_packs_that_break_the_rules_are_refused(pack: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        resolve(pack, AT)


def test_senml_becomes_readings_in_the_units_of_the_mapping() -> None:
    table = Table(
        "weather",
        ResourceRow("senml", {"temperature": "temperature", "pressure": "pressure"}),
        station("coap").mappers["weather"],
    )
    pack = [
        {"bn": "urn:dev:mac:0024befffe804ff1:", "n": "temperature", "u": "K", "v": 300.15},
        {"n": "pressure", "u": "Pa", "v": 101_325},
    ]
    ((device, at, fields),) = table.read("", SENML_JSON, json.dumps(pack).encode(), AT)
    assert (device, at) == ("urn:dev:mac:0024befffe804ff1", AT)
    assert fields == {"temperature": pytest.approx(27.0), "pressure": pytest.approx(1013.25)}


def test_a_unit_of_another_quantity_is_refused() -> None:
    table = Table("w", ResourceRow("s", {"t": "temperature"}), station("coap").mappers["weather"])
    # the table's field is no field of the mapping: kept as it is
    assert table.read("d", SENML_JSON, b'[{"n":"d:temperature","u":"V","v":1}]', AT)
    table = Table("w", ResourceRow("s", {"temperature": "temperature"}), station("coap").mappers["weather"])
    with refused("coap.payload"):
        table.read("d", SENML_JSON, b'[{"n":"d:temperature","u":"V","v":1}]', AT)


def test_names_of_records_may_be_said() -> None:
    row = ResourceRow("s", {"t": "temp"}, names="urn:dev:{device}_{field}")
    ((device, _, fields),) = Table("w", row, None).read(
        "", SENML_JSON, b'[{"n":"urn:dev:a1_temp","v":1}]', AT
    )
    assert (device, fields) == ("a1", {"t": 1})


@pytest.mark.parametrize("format", [None, JSON, CBOR])
def test_json_and_cbor_are_read_by_paths(format: int | None) -> None:
    body = {"ts": 1_751_356_800_000, "t": 21.5, "env": {"p": 1013}}
    payload = cbor2.dumps(body) if format == CBOR else json.dumps(body).encode()
    ((device, at, fields),) = weather(time="ts", time_form="ms").read("d1", format, payload, AT)
    assert (device, at, fields) == ("d1", 1_751_356_800_000_000, {"temperature": 21.5, "pressure": 1013})


def test_other_formats_are_refused() -> None:
    with refused("coap.format"):
        weather().read("d1", 42, b"", AT)


@given(st.sampled_from([None, *FORMATS]), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(format: int | None, payload: bytes) -> None:
    try:
        found = weather().read("d1", format, payload, AT)
    except BadInput:
        return
    assert found


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*range(-7, 10), "n", "v", "t", "bn", "bt", "u", "vs", "env", "p"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from([CBOR, SENML_CBOR]), values)
def test_any_document_is_read_or_refused(format: int, document: Any) -> None:
    try:
        found = weather().read("d1", format, cbor2.dumps(document), AT)
    except BadInput:
        return
    for device, at, fields in found:
        assert device
        assert at > 0
        assert all(value is None or isinstance(value, int | float | str) for value in fields.values())


@given(st.binary(max_size=200))
def test_any_frame_is_read_or_refused(frame: bytes) -> None:
    for effect in CoapSession(station("coap")).received(frame, AT):
        assert isinstance(effect, Observe | Refuse)


@given(
    st.sampled_from(["POST", "PUT"]),
    st.lists(
        st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=9),
        min_size=1,
    ),
    st.binary(max_size=50),
    st.sampled_from([None, JSON, CBOR, SENML_JSON]),
    st.lists(st.sampled_from(["k=secret", "ep=x"]), max_size=2),
)
def test_a_request_comes_back_as_it_was_written(
    method: str, path: list[str], payload: bytes, format: int | None, query: list[str]
) -> None:
    read = read_message(write_message(Ask(method, "/".join(path), payload, format, tuple(query))))
    assert (read.method, read.path, read.payload, read.format, list(read.query)) == (
        method,
        "/".join(path),
        payload,
        format,
        query,
    )


def test_paths_name_their_parts() -> None:
    pattern = PathPattern("/sensors/{device}/data")
    assert pattern.match("sensors/a%20b/data") == {"device": "a%20b"}
    assert pattern.match("sensors/a/b/data") is None
    assert pattern.fill({"device": "x"}) == "sensors/x/data"
    with refused("coap.path"):
        pattern.fill({"device": "x/y"})


def test_commands_are_written_in_their_form() -> None:
    assert encode("json", {"level": 1}) == (JSON, b'{"level":1}')
    assert encode("text", {"value": "on"}) == (0, b"on")
    assert encode("none", {}) == (None, b"")
    format, payload = encode("cbor", {"level": 1})
    assert (format, cbor2.loads(payload)) == (CBOR, {"level": 1})


@pytest.mark.parametrize("text", ["[a]\npath=1", "[a]\nfields={}", "[a]\npath='x'\nwhat=1", "["])
def test_a_resources_file_that_is_none_is_refused(text: str, tmp_path: Any) -> None:
    from yunmeng.gateways.coap.tables import read_resources

    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(Broken):
        read_resources(tmp_path / "r.toml")


def test_msgspec_and_cbor_agree_on_a_report() -> None:
    body = {"t": 1.5, "env": {"p": None}}
    assert weather().read("d", JSON, msgspec.json.encode(body), AT) == weather().read(
        "d", CBOR, cbor2.dumps(body), AT
    )
