"""Starting and watching: a busy port, a process that does not start, one that dies."""

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.nodes import free_port, refused

from yunmeng.kernel.base import Settings, Unavailable
from yunmeng.node.processes import Role
from yunmeng.node.roles import until
from yunmeng.node.supervisor import gathered, open_port, running


def test_a_busy_port_is_refused_by_its_number() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with refused("node.port-busy") as caught:
            open_port("127.0.0.1", port)
    assert caught.value.facts["port"] == port
    assert open_port("127.0.0.1", port) == port


async def test_a_node_without_sign_in_listens_to_this_machine_only(tmp_path: Path) -> None:
    settings = Settings()
    settings = replace(
        settings,
        node=replace(settings.node, data=tmp_path / "data"),
        http=replace(settings.http, host="0.0.0.0"),
        trust=replace(settings.trust, sign_in=False),
    )
    with refused("node.open-host"):
        async with running(settings, ()):
            pytest.fail("it started")
    assert not (tmp_path / "data").exists()


async def test_a_role_that_cannot_start_says_why(tmp_path: Path) -> None:
    role = Role("keeper", ("--set", "http.port=no"), tmp_path / "keeper.log")
    with refused("node.role-failed") as caught:
        await role.start()
    assert "http.port" in str(caught.value.facts["last"]), caught.value.facts
    assert role.process is not None
    assert role.process.returncode not in (None, 0)
    await role.stop()


async def test_a_role_that_says_nothing_is_ended(tmp_path: Path) -> None:
    # nobody writes endpoints in this folder: the role waits for a node that never comes
    role = Role("worker", ("--set", f"node.data={tmp_path}"), tmp_path / "worker.log")
    with refused("node.role-failed"):
        await role.start(timeout_s=0.2)
    assert role.process is not None
    assert role.process.returncode is not None


async def test_the_first_failure_ends_the_other_starts() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def failing() -> None:
        await asyncio.sleep(0)
        raise Unavailable("node.stopped", path="x")

    with refused("node.stopped"):
        await gathered(slow(), failing())
    assert ended.is_set()


async def test_work_that_breaks_ends_the_role_and_work_is_cancelled_at_the_stop() -> None:
    async def breaks() -> None:
        raise Unavailable("node.stopped", path="x")

    with pytest.raises(Unavailable):
        await until(asyncio.Event(), breaks(), asyncio.sleep(60))
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    await asyncio.wait_for(until(stop, asyncio.sleep(60)), 5)


async def test_a_process_that_dies_before_it_is_ready_is_tried_again(tmp_path: Path) -> None:
    """The watch of a role goes on after a restart that failed."""
    role = Role("keeper", ("--set", f"http.port={free_port()}"), tmp_path / "keeper.log")
    role.process = await asyncio.create_subprocess_exec("sleep", "60")
    role._watch = asyncio.create_task(role._keep_running())
    role.arguments = ("--set", "http.port=no")
    os.kill(role.process.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while role.restarts < 2:
            await asyncio.sleep(0.05)
    await role.stop()


async def test_a_stop_in_the_moment_of_a_start_leaves_no_process(tmp_path: Path) -> None:
    role = Role("worker", ("--set", f"node.data={tmp_path}"), tmp_path / "worker.log")
    role.process = await asyncio.create_subprocess_exec("true")
    for turns in range(1, 12):
        role._watch = asyncio.create_task(role._spawn(60.0))
        for _ in range(turns):
            await asyncio.sleep(0)
        await role.stop()
        assert role.process.returncode is not None
    assert [child.cmdline() for child in psutil.Process().children() if "roles" in str(child.cmdline())] == []


async def test_port_0_takes_a_free_one() -> None:
    assert open_port("127.0.0.1", 0) > 1023


async def test_a_node_refuses_the_bus_that_its_processes_cannot_share(tmp_path: Path) -> None:
    settings = Settings()
    settings = replace(
        settings,
        node=replace(settings.node, data=tmp_path / "data"),
        bus=replace(settings.bus, engine="memory"),
    )
    with refused("node.memory-bus"):
        async with running(settings, ()):
            pytest.fail("it started")
