"""Devices played by aiocoap's own client and server: reports, blocks, observation, commands."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.field import PATIENCE_S, Field, seen_on
from tests.gateways.conftest import Listening
from tests.kernel.keeper.conftest import House
from tests.nodes import free_port, refused

from yunmeng.gateways.coap.payloads import CBOR, JSON, SENML_CBOR, SENML_JSON
from yunmeng.gateways.coap.simulator import simulate
from yunmeng.kernel.base import Unavailable, instant_us, now_us
from yunmeng.kernel.link import MemoryBus
from yunmeng.kernel.sense import DeviceRecord, Simulation

aiocoap = pytest.importorskip("aiocoap", reason="the extra `coap` is not installed")
cbor2 = pytest.importorskip("cbor2", reason="the extra `coap` is not installed")
from aiocoap import resource  # noqa: E402

TS = 1_782_000_000_000


@asynccontextmanager
async def client(transport: str = "udp6") -> AsyncIterator[Any]:
    context = await aiocoap.Context.create_client_context(transports=[transport])
    try:
        yield context
    finally:
        await context.shutdown()


async def post(
    context: Any,
    field: Field,
    path: str,
    body: Any,
    format: int | None = JSON,
    scheme: str = "coap",
    **more: Any,
) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = aiocoap.Message(
        code=more.pop("code", aiocoap.POST),
        uri=f"{scheme}://127.0.0.1:{field.port}/{path}",
        payload=data,
        content_format=format,
        **more,
    )
    async with asyncio.timeout(PATIENCE_S):
        return await context.request(message).response


class Sensor(resource.ObservableResource):
    """A device's resource with a value that changes."""

    def __init__(self, value: float = 20.0) -> None:
        super().__init__()
        self.value = value
        self.set: list[tuple[int | None, bytes]] = []

    async def render_get(self, request: Any) -> Any:
        return aiocoap.Message(payload=json.dumps({"temperature": self.value}).encode(), content_format=JSON)

    async def render_put(self, request: Any) -> Any:
        if not request.payload:
            return aiocoap.Message(code=aiocoap.BAD_REQUEST, payload=b"nothing")
        self.set.append((request.opt.content_format, request.payload))
        return aiocoap.Message(code=aiocoap.CHANGED, payload=b"ok")

    def change(self, value: float) -> None:
        self.value = value
        self.updated_state()


@asynccontextmanager
async def device(port: int, **resources: Any) -> AsyncIterator[Any]:
    site = resource.Site()
    for name, each in resources.items():
        site.add_resource([name], each)
    context = await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port), transports=["udp6"])
    try:
        yield context
    finally:
        await context.shutdown()


OWN = """
[weather]
path = "weather"
observe = true
[weather.fields]
temperature = "temperature"
[weather.commands.set]
path = "weather"
form = "text"
[weather.commands.clear]
path = "weather"
form = "none"
"""
OWN_MAPPING = """
[weather]
type = "WeatherObserved"
[weather.fields]
temperature = "temperature"
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "resources.toml").write_text(OWN)
    (tmp_path / "mapping.toml").write_text(OWN_MAPPING)
    return f"resources={tmp_path}/resources.toml&mapping={tmp_path}/mapping.toml"


@pytest.mark.parametrize("format", [JSON, CBOR, SENML_JSON, SENML_CBOR])
async def test_a_report_is_kept_before_it_is_answered(listening: Listening, format: int) -> None:
    field = await listening("coap+udp://")
    body: Any = {"ts": TS, "temperature": 21.5}
    if format in (SENML_JSON, SENML_CBOR):
        body = [{"bn": "d1:", "bt": TS / 1000, "n": "temperature", "u": "Cel", "v": 21.5}]
    data = json.dumps(body).encode() if format in (JSON, SENML_JSON) else cbor2.dumps(body)
    path = "senml" if isinstance(body, list) else "sensors/d1"
    async with client() as context:
        answer = await post(context, field, path, data, format)
    assert str(answer.code) == "2.04 Changed"
    (seen,) = await seen_on(field.bus)
    assert (seen.entity, seen.value, seen.at) == ("urn:ngsi-ld:WeatherObserved:coap:d1", 21.5, TS * 1000)


async def test_over_tcp_too(listening: Listening) -> None:
    field = await listening("coap+tcp://")
    async with client("tcpclient") as context:
        answer = await post(context, field, "sensors/d1", {"ts": TS, "temperature": 1}, scheme="coap+tcp")
    assert answer.code.is_successful()
    assert len(await seen_on(field.bus)) == 1


async def test_a_report_in_blocks_is_joined(listening: Listening, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        '[weather]\npath = "s/{device}"\nreadings = "data"\ntime = "ts"\ntime_form = "ms"\n'
        '[weather.fields]\ntemperature = "t"\n'
    )
    field = await listening(f"coap+udp://?resources={tmp_path}/r.toml")
    rows = [{"ts": TS + n, "t": n / 10} for n in range(400)]
    async with client() as context:
        answer = await post(context, field, "s/d1", {"data": rows})
    assert answer.code.is_successful()
    assert [each.value for each in await seen_on(field.bus)] == [row["t"] for row in rows]


async def test_blocks_without_end_are_refused(listening: Listening) -> None:
    field = await listening("coap+udp://")
    async with client() as context:
        answer = await post(context, field, "sensors/d1", b"x" * (300 << 10), None)
    assert str(answer.code).startswith("4.13")


async def test_what_has_its_own_time_is_kept_once(listening: Listening) -> None:
    field = await listening("coap+udp://")
    async with client() as context:
        for _ in range(2):
            answer = await post(context, field, "sensors/d1", {"ts": TS, "temperature": 21.5})
            assert answer.code.is_successful()
    assert len(await seen_on(field.bus)) == 1


async def test_a_bus_that_takes_nothing_is_no_success(listening: Listening) -> None:
    class Full(MemoryBus):
        taking = False

        async def publish(self, *what: Any, **more: Any) -> int:
            if not self.taking:
                raise Unavailable("bus.full")
            return await super().publish(*what, **more)

    bus = Full()
    field = await listening("coap+udp://", bus=bus)
    async with client() as context:
        body = {"ts": TS, "temperature": 21.5}
        assert str((await post(context, field, "sensors/d1", body)).code).startswith("5.03")
        bus.taking = True
        assert (await post(context, field, "sensors/d1", body)).code.is_successful()
    assert len(await seen_on(field.bus)) == 1


@pytest.mark.parametrize(
    ("path", "body", "format", "code"),
    [
        ("sensors/d1", b"{", JSON, "4.00"),
        ("sensors/d1", {"ts": 1}, JSON, "4.00"),
        ("elsewhere", {"ts": TS, "temperature": 1}, JSON, "4.04"),
        ("sensors/d1", b"<x/>", 41, "4.15"),
    ],
)
async def test_what_is_wrong_is_refused_and_kept_with_its_reason(
    listening: Listening, house: House, path: str, body: Any, format: int, code: str
) -> None:
    field = await listening("coap+udp://", bus=house.bus)
    async with client() as context:
        assert str((await post(context, field, path, body, format)).code).startswith(code)
    (record,) = await house.state.records("quarantine")
    assert b'"coap.' in record.body


async def test_only_posts_and_puts_report(listening: Listening, house: House) -> None:
    field = await listening("coap+udp://", bus=house.bus)
    async with client() as context:
        answer = await post(context, field, "sensors/d1", b"", None, code=aiocoap.DELETE)
        assert str(answer.code).startswith("4.05")
        assert (
            await post(context, field, "sensors/d1", {"ts": TS, "temperature": 1}, code=aiocoap.PUT)
        ).code.is_successful()


async def test_a_device_shows_its_credential(listening: Listening, house: House) -> None:
    record = DeviceRecord("coap", "d1", "420102", key=sha256(b"secret").hexdigest())
    field = await listening("coap+udp://?admit=known", bus=house.bus, records=[record])
    body = {"ts": TS, "temperature": 1}
    async with client() as context:
        assert str((await post(context, field, "sensors/d1", body)).code).startswith("4.01")
        assert str((await post(context, field, "sensors/d2", body)).code).startswith("4.03")
        assert (await post(context, field, "sensors/d1?k=secret", body)).code.is_successful()
    (seen,) = await seen_on(field.bus)
    assert seen.division == "420102"


async def test_the_server_says_what_it_has(listening: Listening) -> None:
    field = await listening("coap+udp://")
    async with client() as context:
        answer = await post(context, field, ".well-known/core", b"", None, code=aiocoap.GET)
    assert b'</sensors>;rt="yunmeng.weather"' in answer.payload
    assert b'</rd>;rt="core.rd"' in answer.payload


async def test_a_resource_is_observed(listening: Listening, own: str) -> None:
    port, sensor = free_port(), Sensor()
    async with device(port, weather=sensor):
        field = await listening(f"coap+connect://127.0.0.1:{port}?device=roof&{own}")
        assert (await field.values(1))["temperature"] == 20.0
        for count, value in enumerate((20.5, 21.0), start=2):
            sensor.change(value)
            assert (await field.values(count))["temperature"] == value
        assert {each.entity for each in await field.seen(3)} == {"urn:ngsi-ld:WeatherObserved:coap:roof"}
        await _commanded(field, sensor)


async def _commanded(field: Field, sensor: Sensor) -> None:
    assert await field.command("roof", "set", value="42") == {"code": "2.04", "value": "ok"}
    assert sensor.set == [(0, b"42")]
    with refused("command.refused"):
        await field.command("roof", "clear")
    with refused("command.unknown"):
        await field.command("roof", "explode")
    with refused("command.arguments"):
        await field.command("roof", "set")


async def test_a_device_that_was_gone_is_observed_again(listening: Listening, own: str) -> None:
    port = free_port()
    async with device(port, weather=Sensor(1.0)):
        field = await listening(f"coap+connect://127.0.0.1:{port}?device=roof&stale=1&{own}")
        await field.seen(1)
    async with device(port, weather=Sensor(2.0)):
        async with asyncio.timeout(20):
            while (await field.values(1))["temperature"] != 2.0:
                await asyncio.sleep(0.05)


async def test_a_large_resource_is_fetched_in_blocks(listening: Listening, tmp_path: Path) -> None:
    class Log(resource.Resource):
        async def render_get(self, request: Any) -> Any:
            rows = [{"ts": TS + n, "t": n} for n in range(300)]
            return aiocoap.Message(payload=json.dumps(rows).encode(), content_format=JSON)

    (tmp_path / "r.toml").write_text(
        '[weather]\npath = "log"\nevery = 60\ntime = "ts"\ntime_form = "ms"\n'
        '[weather.fields]\ntemperature = "t"\n'
    )
    port = free_port()
    async with device(port, log=Log()):
        field = await listening(f"coap+connect://127.0.0.1:{port}?device=roof&resources={tmp_path}/r.toml")
        assert [each.value for each in await field.seen(300)] == list(range(300))


async def test_commands_wait_until_a_sleeping_device_speaks(listening: Listening, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        '[well]\npath = "wells/{device}"\nsleeps = true\nawake_s = 0.2\n[well.fields]\ndepth = "d"\n'
        '[well.commands.configure]\npath = "config"\nform = "cbor"\n'
    )
    field = await listening(f"coap+udp://?resources={tmp_path}/r.toml")
    config, port = Sensor(), free_port()
    async with device(port, config=config) as context:
        assert (await post(context, field, "wells/w1", {"d": 1.0})).code.is_successful()
        await asyncio.sleep(0.3)
        ordered = asyncio.create_task(field.command("w1", "configure", interval=60))
        await asyncio.sleep(0.3)
        assert not config.set
        assert not ordered.done()
        assert (await post(context, field, "wells/w1", {"d": 1.1})).code.is_successful()
        assert (await ordered)["code"] == "2.04"
    assert [cbor2.loads(payload) for _, payload in config.set] == [{"interval": 60}]
    with refused("command.unknown"):
        await field.command("w1", "explode")


async def test_who_orders_of_a_sleeping_device_is_told_that_it_is_kept(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yunmeng.gateways.coap.orders._TELL_S", 0.1)
    (tmp_path / "r.toml").write_text(
        '[well]\npath = "wells/{device}"\nsleeps = true\nawake_s = 0\nkeep_s = 3600\n'
        '[well.fields]\ndepth = "d"\n[well.commands.configure]\npath = "config"\n'
    )
    field = await listening(f"coap+udp://?resources={tmp_path}/r.toml")
    config = Sensor()
    async with device(free_port(), config=config) as context:
        await post(context, field, "wells/w1", {"d": 1.0})
        told = await field.command("w1", "configure", interval=60)
        assert told["queued"] is True
        assert 0 < instant_us(told["until"]) - now_us() <= 3_600_000_000
        assert not config.set
        await post(context, field, "wells/w1", {"d": 1.1})
        async with asyncio.timeout(PATIENCE_S):
            while not config.set:
                await asyncio.sleep(0.01)


async def test_a_registered_endpoint_can_be_commanded(listening: Listening, tmp_path: Path) -> None:
    """RFC 9176 §5: the endpoint posts its links to /rd and is then known by its name."""
    (tmp_path / "r.toml").write_text(
        '[well]\npath = "wells/{device}"\n[well.fields]\ndepth = "d"\n'
        '[well.commands.configure]\npath = "config"\nform = "cbor"\n'
    )
    field = await listening(f"coap+udp://?resources={tmp_path}/r.toml")
    config = Sensor()
    async with device(free_port(), config=config) as context:
        answer = await post(context, field, "rd?ep=w7&lt=300", b'</config>;rt="config"', 40)
        assert str(answer.code) == "2.01 Created"
        found = await post(context, field, "rd-lookup/ep?ep=w7", b"", None, code=aiocoap.GET)
        assert b'ep="w7"' in found.payload
        assert (await field.command("w7", "configure", interval=5))["code"] == "2.04"
    assert config.set


async def test_a_device_without_protection_is_refused_where_keys_are_asked(
    listening: Listening, house: House, tmp_path: Path
) -> None:
    """OSCORE (RFC 8613): the test vectors' secrets of appendix C.1, one side each."""
    for name, sender, recipient in (("server/d1", "01", ""), ("client", "", "01")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "settings.json").write_text(
            json.dumps(
                {
                    "sender-id_hex": sender,
                    "recipient-id_hex": recipient,
                    "secret_hex": "0102030405060708090a0b0c0d0e0f10",
                    "salt_hex": "9e7ca92223786340",
                }
            )
        )
    field = await listening(f"coap+udp://?oscore={tmp_path}/server", bus=house.bus)
    body = {"ts": TS, "temperature": 3.5}
    context = await aiocoap.Context.create_client_context(transports=["oscore", "udp6"])
    try:
        assert str((await post(context, field, "sensors/d1", body)).code).startswith("4.01")
        keys = {f"coap://127.0.0.1:{field.port}/*": {"oscore": {"basedir": f"{tmp_path}/client/"}}}
        context.client_credentials.load_from_dict(keys)
        assert (await post(context, field, "sensors/d1", body)).code.is_successful()
        assert str((await post(context, field, "sensors/d2", body)).code).startswith("4.01")
    finally:
        await context.shutdown()
    (seen,) = await seen_on(field.bus)
    assert seen.value == 3.5


async def test_the_simulators_sensors_are_answered(listening: Listening) -> None:
    field = await listening("coap+udp://")
    play = Simulation("127.0.0.1", field.port, count=4, every_s=0.2, for_s=0.5)
    assert await simulate(play) >= 4
    seen = await seen_on(field.bus)
    assert {each.entity for each in seen} == {
        f"urn:ngsi-ld:ManholeMonitor:coap:well-{n:04d}" for n in range(1, 5)
    }
    assert {each.attribute for each in seen} == {"waterDepth", "batteryLevel", "referenceSignalPower"}


@pytest.mark.parametrize(
    "url", ["coap+udp://?use=nothing", "coap+connect://127.0.0.1:1?use=well", "coap+udp://?oscore=/nowhere"]
)
async def test_options_that_are_none_are_refused(listening: Listening, url: str) -> None:
    with refused("sense.option"):
        field = await listening(url)
        await field.serving


async def test_a_transport_that_is_none_is_refused(listening: Listening) -> None:
    with refused("sense.transport"):
        field = await listening("coap+serial:///dev/null")
        await field.serving


async def test_without_its_library_dtls_is_refused_at_the_start(listening: Listening, tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(f'd1 = "file:{tmp_path}/d1"\n')
    (tmp_path / "d1").write_text("secretPSK")
    if find_spec("DTLSSocket") is not None:
        pytest.skip("DTLSSocket is installed")
    with refused("sense.extra"):
        field = await listening(f"coap+dtls://127.0.0.1:{free_port()}?keys={tmp_path}/keys.toml")
        await field.serving


async def test_a_device_with_a_shared_key_is_heard_over_dtls(listening: Listening, tmp_path: Path) -> None:
    pytest.importorskip("DTLSSocket", reason="DTLSSocket is not installed (it is built with a C compiler)")
    (tmp_path / "keys.toml").write_text(f'd1 = "file:{tmp_path}/d1"\n')
    (tmp_path / "d1").write_text("secretPSK")
    port = free_port()
    field = await listening(f"coap+dtls://127.0.0.1:{port}?keys={tmp_path}/keys.toml")
    context = await aiocoap.Context.create_client_context(transports=["tinydtls"])
    try:
        psk = {"dtls": {"psk": b"secretPSK", "client-identity": b"d1"}}
        context.client_credentials.load_from_dict({f"coaps://127.0.0.1:{port}/*": psk})
        answer = await post(context, field, "sensors/d1", {"ts": TS, "temperature": 1}, scheme="coaps")
        assert answer.code.is_successful()
    finally:
        await context.shutdown()
