"""Servers of asyncua over sockets: subscriptions, quality and time, loss and history, commands, security."""

import asyncio
import csv
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.field import Field, Seen, seen_on
from tests.gateways.conftest import Listening
from tests.kernel.keeper.conftest import House
from tests.nodes import free_port, refused

from yunmeng.gateways.opcua.browsing import browse
from yunmeng.gateways.opcua.simulator import NAMESPACE, simulate
from yunmeng.gateways.opcua.values import micros
from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import Simulation, read_listen

asyncua = pytest.importorskip("asyncua", reason="the extra `opcua` is not installed")
from asyncua.server.history import HistoryDict  # noqa: E402

ua = asyncua.ua
PLANT = "http://plant.example/"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
POINTS = """table,type,field,name,attribute,unit,deadband,access,object
P1,ProcessPump,nsu=http://plant.example/;s=Flow,流量,volumeFlow,,,,
P1,ProcessPump,nsu=http://plant.example/;s=Pressure,压力,outletPressure,BAR,0.5,,
P1,ProcessPump,nsu=http://plant.example/;s=Speed,转速,rotationalSpeed,,,write,
,,nsu=http://plant.example/;s=Double,,,,,call,
,,nsu=http://plant.example/;s=Hidden,备用,,,,,
"""


class Plant:
    """A server with some nodes; it can be stopped and started again with what it has kept."""

    def __init__(self, **more: Any) -> None:
        self.port = more.get("port") or free_port()
        self.more = more
        self.server: Any = None
        self.nodes: dict[str, Any] = {}

    async def start(self, prepare: Callable[["Plant"], Awaitable[None]] | None = None) -> None:
        self.server = asyncua.Server(user_manager=self.more.get("user_manager"))
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/plant")
        self.server.set_security_policy(self.more.get("policies", [ua.SecurityPolicyType.NoSecurity]))
        if "cert" in self.more:
            await self.server.set_application_uri("urn:plant.example:server")
            await self.server.load_certificate(self.more["cert"])
            await self.server.load_private_key(self.more["key"])
        # another server would give the namespace another number
        await self.server.register_namespace("http://first.example/")
        index = await self.server.register_namespace(PLANT)
        for name, start in (("Flow", 1.0), ("Pressure", 2.0), ("Speed", 1480.0)):
            id = ua.NodeId(name, index)
            self.nodes[name] = await self.server.nodes.objects.add_variable(id, f"{index}:{name}", start)
        await self.nodes["Speed"].set_writable()

        async def double(_: Any, given: Any) -> list[Any]:
            return [ua.Variant(given.Value * 2, ua.VariantType.Double)]

        number = [ua.VariantType.Double]
        await self.server.nodes.objects.add_method(
            ua.NodeId("Double", index), f"{index}:Double", double, number, number
        )
        if prepare is not None:
            await prepare(self)
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    async def say(self, name: str, value: float, at: datetime = NOON, status: int = 0) -> None:
        variant = ua.Variant(value, ua.VariantType.Double)
        await self.nodes[name].write_value(ua.DataValue(variant, ua.StatusCode(status), SourceTimestamp=at))


class Elsewhere:
    """A plant in a thread of its own: a server takes seconds to start, so that tests share one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.plant = Plant()
        self.do(self.plant.start()).result(120)

    def do(self, work: Any) -> Any:
        """The future of some work at the plant."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    @property
    def port(self) -> int:
        return self.plant.port

    async def say(self, *what: Any) -> None:
        await asyncio.wrap_future(self.do(self.plant.say(*what)))

    async def on(self, name: str, method: str, *what: Any) -> Any:
        """What a method of a node returns."""
        return await asyncio.wrap_future(self.do(getattr(self.plant.nodes[name], method)(*what)))

    def close(self) -> None:
        self.do(self.plant.stop()).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    found = Elsewhere()
    yield found
    found.close()


@pytest.fixture
async def found(elsewhere: Elsewhere) -> Elsewhere:
    """The shared plant as it was in the beginning."""
    for name, value in (("Flow", 1.0), ("Pressure", 2.0), ("Speed", 1480.0)):
        await elsewhere.say(name, value, NOON - timedelta(hours=1))
    await elsewhere.on("Speed", "set_writable")
    return elsewhere


@asynccontextmanager
async def plant(**more: Any) -> AsyncIterator[Plant]:
    found = Plant(**more)
    await found.start(more.get("prepare"))
    try:
        yield found
    finally:
        with suppress(asyncio.CancelledError):
            await found.stop()


@pytest.fixture
def points(tmp_path: Path) -> Path:
    (tmp_path / "plant.csv").write_text(POINTS)
    return tmp_path / "plant.csv"


def url(found: Plant | Elsewhere, points: Path, **options: str) -> str:
    more = "".join(f"&{name}={value}" for name, value in options.items())
    return f"opcua+connect://127.0.0.1:{found.port}/plant?device=mill&period=50&mapping={points}{more}"


async def until(field: Field, attribute: str, value: float | None) -> Seen:
    async with asyncio.timeout(15):
        while True:
            for each in await seen_on(field.bus):
                if each.attribute == attribute and each.value == value:
                    return each
            await asyncio.sleep(0.02)


async def test_changes_reach_the_bus_with_the_sources_time(
    listening: Listening, found: Elsewhere, points: Path
) -> None:
    field = await listening(url(found, points))
    await field.seen(3)
    await found.say("Flow", 42.5)
    seen = await until(field, "volumeFlow", 42.5)
    assert (seen.entity, seen.at) == (
        "urn:ngsi-ld:ProcessPump:opcua:mill:P1",
        instant_us("2026-07-01T12:00:00Z"),
    )
    assert (await until(field, "outletPressure", 200.0)).unit == "KPA", "the node says bar"


async def test_a_status_is_a_quality(listening: Listening, found: Elsewhere, points: Path) -> None:
    field = await listening(url(found, points))
    await field.seen(3)
    for minute, (status, quality) in enumerate(
        (
            ("UncertainLastUsableValue", Quality.UNCERTAIN),
            ("UncertainSubstituteValue", Quality.SUBSTITUTED),
            ("BadSensorFailure", Quality.BAD),
            ("BadWaitingForInitialData", Quality.MISSING),
            ("Good", Quality.GOOD),
        ),
        start=1,
    ):
        code = getattr(ua.StatusCodes, status)
        at = NOON + timedelta(minutes=minute)
        await found.say("Flow", 7.0 + minute, at, code)
        async with asyncio.timeout(15):
            while not (told := [each for each in await field.seen(3) if each.at == micros(at)]):
                await asyncio.sleep(0.02)
        assert [each.quality for each in told] == [quality]


async def test_small_changes_stay_within_the_deadband(
    listening: Listening, found: Elsewhere, points: Path
) -> None:
    field = await listening(url(found, points))
    await field.seen(3)
    for value, flow in ((2.3, 3.0), (2.9, 4.0)):
        await found.say("Pressure", value)
        await found.say("Flow", flow)
        await until(field, "volumeFlow", flow)
    await until(field, "outletPressure", pytest.approx(290.0))
    told = [each.value for each in await field.seen(3) if each.attribute == "outletPressure"]
    assert told == [200.0, pytest.approx(290.0)]


class InOrder(HistoryDict):
    """A history in the order of its times, which the library's own forgets."""

    async def read_node_history(self, node: Any, *more: Any) -> Any:
        self._datachanges[node].sort(key=lambda each: each.SourceTimestamp)
        return await super().read_node_history(node, *more)


@pytest.mark.slow
async def test_a_server_that_was_gone_is_followed_again_and_its_history_read(
    listening: Listening, points: Path
) -> None:
    """While we were away the server had kept three values; what we had already is not kept twice."""
    async with plant() as found:
        field = await listening(url(found, points))
        await field.seen(3)
        began = datetime.now(UTC)
        await found.say("Flow", 10.0, began)
        await until(field, "volumeFlow", 10.0)
    missed = {value: began + timedelta(milliseconds=value) for value in (10.0, 15.0, 20.0, 25.0)}

    async def keep(again: Plant) -> None:
        # two values at a time, and where to go on
        again.server.iserver.history_manager.set_storage(InOrder(2))
        await again.server.historize_node_data_change(again.nodes["Flow"], period=None)
        for value in missed:
            await again.say("Flow", value, missed[value] if value > 10.0 else began)

    async with plant(port=found.port, prepare=keep) as again:
        for value in (15.0, 20.0, 25.0):
            assert (await until(field, "volumeFlow", value)).at == micros(missed[value])
        await again.say("Flow", 99.0, datetime.now(UTC))
        await until(field, "volumeFlow", 99.0)
    told = [each.value for each in await field.seen(1) if each.attribute == "volumeFlow"]
    assert [told.count(value) for value in (10.0, 15.0, 20.0, 25.0, 99.0)] == [1] * 5


async def test_a_node_is_written_and_a_method_called(
    listening: Listening, found: Elsewhere, points: Path
) -> None:
    field = await listening(url(found, points))
    await field.seen(3)
    speed, double = f"nsu={PLANT};s=Speed", f"nsu={PLANT};s=Double"
    assert await field.command("mill", "write", node=speed, value=900) == {"node": speed, "value": 900.0}
    assert await found.on("Speed", "read_value") == 900.0
    await until(field, "rotationalSpeed", 900.0)
    assert await field.command("mill", "call", node=double, arguments=[21]) == {
        "node": double,
        "result": [42.0],
    }
    assert (await field.command("mill", "read", node=f"nsu={PLANT};s=Flow"))["value"] == 1.0
    for name, arguments in (
        ("write", {"node": f"nsu={PLANT};s=Flow", "value": 1}),
        ("write", {"node": speed, "value": "fast"}),
        ("call", {"node": double, "arguments": []}),
        ("call", {"node": speed}),
    ):
        with refused("command.arguments"):
            await field.command("mill", name, **arguments)
    with refused("command.unknown"):
        await field.command("mill", "explode")


async def test_what_a_server_forbids_is_a_refusal(
    listening: Listening, found: Elsewhere, points: Path
) -> None:
    field = await listening(url(found, points))
    await field.seen(3)
    await found.on("Speed", "set_read_only")
    with refused("command.refused"):
        await field.command("mill", "write", node=f"nsu={PLANT};s=Speed", value=1)


async def test_nodes_that_are_none_lie_in_quarantine(
    listening: Listening, found: Elsewhere, house: House, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text(
        POINTS + "P1,ProcessPump,nsu=http://plant.example/;s=Absent,x,bearingTemperature,,,,\n"
        "P1,ProcessPump,nsu=http://elsewhere.example/;s=Flow,x,bearingTemperature,,,,\n"
    )
    field = await listening(url(found, tmp_path / "p.csv"), bus=house.bus)
    await field.seen(3)
    async with asyncio.timeout(15):
        while len(records := await house.state.records("quarantine")) < 2:
            await asyncio.sleep(0.05)
    assert all(b"opcua.node" in record.body for record in records)


@pytest.mark.slow
async def test_a_server_is_browsed_into_a_table_of_points() -> None:
    port = free_port()
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", port, count=2, every_s=0.2)))
    listen = read_listen("b", f"opcua+connect://127.0.0.1:{port}/plant")
    try:
        text = await _browsed(listen)
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    rows = {row["field"]: row for row in csv.DictReader(text.splitlines())}
    assert len(rows) == 12
    flow, speed = (rows[f"nsu={NAMESPACE};s=Pump2.{name}"] for name in ("Flow", "Speed"))
    assert (flow["table"], flow["name"], flow["unit"], flow["access"]) == ("Pump2", "Flow", "MQH", "")
    assert speed["access"] == "write"
    assert rows[f"nsu={NAMESPACE};s=Pump1.Switch"]["access"] == "call"


async def _browsed(listen: Any) -> str:
    async with asyncio.timeout(20):
        while True:
            try:
                return await browse(listen)
            except OSError:
                await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_the_simulated_plant_is_followed(listening: Listening) -> None:
    port = free_port()
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", port, count=3, every_s=0.1)))
    field = await listening(f"opcua+connect://127.0.0.1:{port}/plant?device=plant&period=50")
    try:
        async with asyncio.timeout(30):
            while len(seen := await seen_on(field.bus)) < 60:
                await asyncio.sleep(0.05)
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    assert {each.entity for each in seen} == {
        f"urn:ngsi-ld:ProcessPump:opcua:plant:pump{n}" for n in (1, 2, 3)
    }
    assert {each.value for each in seen if each.attribute == "runState"} == {"running"}
    assert all(each.quality == Quality.GOOD for each in seen)


def certificate(folder: Path, name: str, uri: str, usage: str) -> tuple[Path, Path]:
    """A certificate of our own making, as OPC 10000-6 §6.2.2 wants it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    oids = x509.ExtendedKeyUsageOID
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]),
            False,
        )
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.KeyUsage(True, True, True, True, False, True, False, False, False), True)
        .add_extension(
            x509.ExtendedKeyUsage([oids.CLIENT_AUTH if usage == "client" else oids.SERVER_AUTH]), False
        )
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.der", folder / f"{name}.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.DER))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


class OneUser:
    """A server that knows one user."""

    def get_user(
        self, _: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> Any:
        from asyncua.crypto.permission_rules import User, UserRole

        return User(role=UserRole.User) if (username, password) == ("yunmeng", "secret") else None


@pytest.mark.slow
async def test_a_secured_server_is_followed_by_certificate_and_user(
    listening: Listening, points: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, key = certificate(tmp_path, "client", "urn:yunmeng:test", "client")
    server_cert, server_key = certificate(tmp_path, "server", "urn:plant.example:server", "server")
    other_cert, _ = certificate(tmp_path, "other", "urn:plant.example:server", "server")
    (tmp_path / "password").write_text("secret")
    (tmp_path / "wrong").write_text("guess")
    policies = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    ours = {"policy": "Basic256Sha256", "cert": str(cert), "key": str(key), "server_cert": str(server_cert)}
    async with plant(policies=policies, cert=server_cert, key=server_key, user_manager=OneUser()) as found:
        for wrong in (
            {**ours, "user": "yunmeng", "password": f"file:{tmp_path}/wrong"},
            {
                **ours,
                "server_cert": str(other_cert),
                "user": "yunmeng",
                "password": f"file:{tmp_path}/password",
            },
            {"user": "yunmeng", "password": f"file:{tmp_path}/password"},
        ):
            caplog.clear()
            stranger = await listening(url(found, points, **wrong))
            async with asyncio.timeout(15):
                while not [each for each in caplog.records if each.name == "yunmeng.sense"]:
                    await asyncio.sleep(0.05)
            assert await seen_on(stranger.bus) == []
            assert not stranger.serving.done()
        field = await listening(
            url(found, points, **ours, user="yunmeng", password=f"file:{tmp_path}/password")
        )
        await field.seen(3)


@pytest.mark.parametrize(
    "options",
    ["policy=None", "policy=Basic256Sha256", "mode=Open", "period=soon", "history=-1", "password=plain"],
)
async def test_options_that_are_none_are_refused(listening: Listening, points: Path, options: str) -> None:
    with refused("secret.inline" if options.startswith("password") else "sense.option"):
        field = await listening(f"opcua+connect://127.0.0.1:1?mapping={points}&{options}")
        await field.serving


def test_the_library_is_imported_only_where_it_is_needed() -> None:
    """It is LGPL: whoever does not ask for it does not load it."""
    code = "import sys, yunmeng.gateways.opcua; sys.exit('asyncua' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
