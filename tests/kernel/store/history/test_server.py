"""The history process: started, stopped, killed, refused."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from yunmeng.kernel.base import Broken, Conflict, Unavailable, load_settings, problem
from yunmeng.kernel.model import ObservationBatch, Series
from yunmeng.kernel.store import HistoryBlock, HistoryServer, TemporalQuery, open_history
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.trust import Reach

POWER, METER = "https://w3id.org/yunmeng/power", "https://w3id.org/yunmeng/Meter"
T0 = 1_790_000_000_000_000
ROWS = 500


def block(number: int) -> HistoryBlock:
    batch = ObservationBatch(
        tenant="",
        gateway="mqtt",
        received_at=T0,
        series=(Series("urn:ngsi-ld:Meter:1", POWER, METER, "420100"),),
        index=np.zeros(ROWS, np.uint32),
        observed_at=T0 + (number * ROWS + np.arange(ROWS)) * 1_000_000,
        number=np.full(ROWS, float(number)),
        quality=np.zeros(ROWS, np.uint8),
    )
    return HistoryBlock(f"keeper-{number}", [batch])


Connect = Callable[..., ClickHouseHistory]


@pytest.fixture
async def client() -> AsyncIterator[Connect]:
    opened: list[ClickHouseHistory] = []

    def connect(server: HistoryServer, password: str = "") -> ClickHouseHistory:
        opened.append(ClickHouseHistory(server.url, password=password or server.password))
        return opened[-1]

    yield connect
    for history in opened:
        await history.close()


async def restarted(server: HistoryServer, times: int) -> None:
    for _ in range(1500):
        if server.restarts >= times:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the history process did not come back")


async def test_what_was_inserted_is_there_after_a_restart(folder: Path, client: Connect) -> None:
    for seen in (0, ROWS):
        server = HistoryServer(folder)
        await server.start()
        history = client(server)
        assert await history.count() == seen
        await history.insert(block(1))
        await server.stop()
        assert server.pid == 0
    assert (folder / "password").stat().st_mode & 0o777 == 0o600


async def test_kill_during_inserts_loses_nothing_and_doubles_nothing(folder: Path, client: Connect) -> None:
    server = HistoryServer(folder)
    await server.start()
    history = client(server)
    await history.insert(block(0))
    acknowledged: list[int] = [0]

    async def insert_on() -> None:
        for number in range(1, 1000):
            await history.insert(block(number))
            acknowledged.append(number)

    for kills in (1, 2, 3):
        writing = asyncio.create_task(insert_on())
        await asyncio.sleep(0.4)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(Unavailable) as caught:
            await writing
        assert caught.value.key == "history.down"
        await restarted(server, kills)
    reached = max(acknowledged)
    assert reached > 3
    assert await history.count() >= ROWS * (reached + 1)
    for number in range(reached + 2):
        await history.insert(block(number))
    assert await history.count() == ROWS * (reached + 2)
    points = await history.points(TemporalQuery(Reach(), ("urn:ngsi-ld:Meter:1",), limit=10**6))
    assert [point.at for point in points] == [T0 + n * 1_000_000 for n in range(ROWS * (reached + 2))]
    await server.stop()


async def test_a_busy_port_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            await HistoryServer(folder, port=port).start()
    assert (caught.value.key, caught.value.facts) == ("history.port-busy", {"port": str(port)})


async def test_one_folder_has_one_owner(folder: Path, client: Connect) -> None:
    server = HistoryServer(folder)
    await server.start()
    with pytest.raises(Conflict) as caught:
        await HistoryServer(folder).start()
    assert caught.value.key == "history.folder-in-use"
    assert await client(server).count() == 0
    await server.stop()


async def test_a_folder_of_a_newer_engine_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "about.json").write_bytes(msgspec.json.encode({"format": 1, "engine": "99.1.2.3"}))
    with pytest.raises(Broken) as caught:
        await HistoryServer(folder).start()
    assert (caught.value.key, caught.value.facts["made_by"]) == ("history.newer", "99.1.2.3")
    assert not (folder / "data").exists()


async def test_tables_of_a_newer_version_are_left_alone(folder: Path, client: Connect) -> None:
    server = HistoryServer(folder)
    await server.start()
    history = client(server)
    await history.count()
    await history._ask(_statement("INSERT INTO history_versions SELECT 99, now()"))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(Broken) as caught:
        await client(server).count()
    assert (caught.value.key, caught.value.facts["made_by"]) == ("history.newer", 99)
    await server.stop()


def _statement(sql: str):
    from yunmeng.kernel.store.history.queries import Statement

    return Statement(sql)


@pytest.mark.parametrize("damage", ["about", "table", "part"])
async def test_a_damaged_folder_is_told(folder: Path, damage: str, client: Connect) -> None:
    server = HistoryServer(folder)
    await server.start()
    await client(server).insert(block(1))
    await server.stop()
    data = folder / "data"
    files = {
        "about": [folder / "about.json"],
        "table": list(data.glob("store/*/*/history_points.sql")),
        "part": [part / "checksums.txt" for part in data.glob("store/*/*/2*_1_1_0")],
    }[damage]
    assert files
    for file in files:
        file.write_bytes(b"\x00nonsense")
    with pytest.raises(Broken) as caught:
        await HistoryServer(folder).start()
    assert caught.value.key == "history.corrupt"


async def test_without_the_wheel_the_error_is_the_instruction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a module that cannot be imported, as on a machine without the extra
    hidden = folder.parent / "hidden"
    (hidden / "chdb").mkdir(parents=True)
    (hidden / "chdb" / "__init__.py").write_text("raise ImportError('No module named chdb')")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(hidden), *filter(None, [os.environ.get("PYTHONPATH")])])
    )
    with pytest.raises(Unavailable) as caught:
        await HistoryServer(folder).start()
    assert caught.value.key == "history.extra-missing"
    assert "pip install 'yunmeng[history]'" in problem(caught.value, "en").remedy
    assert "pip install 'yunmeng[history]'" in problem(caught.value, "zh-CN").remedy


PARENT = """
import asyncio, sys
from pathlib import Path
from yunmeng.kernel.store import HistoryServer

async def main():
    server = HistoryServer(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_it_dies_with_its_parent(folder: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    child.wait(20)
    assert not child.is_running()


async def test_other_processes_find_it_through_its_folder(tmp_path: Path) -> None:
    settings = load_settings(env={}, overrides=(f"node.data={tmp_path}",))
    with pytest.raises(Unavailable) as caught:
        open_history(settings)
    assert caught.value.key == "history.not-served"
    server = HistoryServer(tmp_path / "history")
    await server.start()
    history = open_history(settings)
    assert await history.count() == 0
    await history.close()
    await server.stop()


async def test_a_wrong_password_and_a_dead_server_are_told_apart(folder: Path, client: Connect) -> None:
    server = HistoryServer(folder)
    await server.start()
    stranger = client(server, "guess")
    with pytest.raises(Unavailable) as caught:
        await stranger.count()
    assert caught.value.key == "history.stranger"
    await server.stop()
    with pytest.raises(Unavailable) as caught:
        await stranger.count()
    assert caught.value.key == "history.down"


async def test_a_query_over_the_memory_limit_is_refused_and_the_server_lives(
    folder: Path, client: Connect
) -> None:
    server = HistoryServer(folder, memory=300 << 20)
    await server.start()
    history = client(server)
    with pytest.raises(Unavailable) as caught:
        await history._ask(_statement("SELECT uniqExact(number) FROM numbers(100000000)"))  # pyright: ignore[reportPrivateUsage]
    assert caught.value.key == "history.busy"
    assert await history.count() == 0
    assert server.restarts == 0
    await server.stop()


async def test_stop_lets_a_running_query_end(folder: Path, client: Connect) -> None:
    server = HistoryServer(folder)
    await server.start()
    history = client(server)
    await history.count()
    slow = asyncio.create_task(history._ask(_statement("SELECT sleep(1.5)")))  # pyright: ignore[reportPrivateUsage]
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 15
    assert await slow == b"[0]\n"
