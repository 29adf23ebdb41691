"""A node that is stopped, killed, cut off in mid-work or runs out of disk."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from tests.nodes import PASSWORD, Node, level, observe, until

from yunmeng.kernel.base import now_us

Launch = Callable[..., Node]
LAKE = "urn:ngsi-ld:Reservoir:test:lake"
LEVEL = "https://w3id.org/yunmeng/waterLevel"
pytestmark = pytest.mark.xdist_group("trouble")


def latest(client: httpx.Client, entity: str = LAKE) -> object:
    """The last water level that the node knows, or None."""
    said = client.get(f"/ngsi-ld/v1/entities/{entity}?options=keyValues")
    return said.json().get(LEVEL) if said.status_code == 200 else None


def counted(client: httpx.Client, entity: str = LAKE) -> int:
    """How many water levels the history holds."""
    said = client.get(f"/ngsi-ld/v1/temporal/entities/{entity}?options=temporalValues&lastN=1000")
    return len(said.json()[LEVEL]["values"]) if said.status_code == 200 else 0


def ready(node: Node) -> bool:
    try:
        return httpx.get(f"{node.url}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_what_is_killed_is_started_again_and_the_data_outlives_the_node(launch: Launch) -> None:
    """Each part with ``kill -9``, then the supervisor itself, then an orderly stop."""
    node = launch()
    client = node.administrator()
    now = now_us()
    observe(node, level(LAKE, 1.0, now))
    until(lambda: latest(client) == 1.0, "the first value")

    killed = [node.role(name) for name in ("keeper", "api", "worker")]
    for process in killed:
        process.kill()
    # the bus takes it while the keeper is away
    observe(node, level(LAKE, 2.0, now + 1))
    until(lambda: ready(node) and latest(client) == 2.0, "the value sent while the keeper was down")
    assert client.post("/api/jobs/plan.report", json={}).status_code == 202, "the worker serves again"
    assert {node.role(name).pid for name in ("keeper", "api", "worker")}.isdisjoint(p.pid for p in killed)

    parts = node.parts()
    os.kill(node.pid, signal.SIGKILL)
    node.stop()
    _, alive = psutil.wait_procs(parts, 60)
    assert alive == [], "no part outlives its supervisor"

    node.start()
    assert "admin /" not in node.said, "the password was changed, so none is printed"
    client = node.client("admin", PASSWORD)
    until(lambda: latest(client) == 2.0 and counted(client) == 2, "state and history as they were")

    parts = node.parts()
    assert node.stop(signal.SIGINT) == 0
    _, alive = psutil.wait_procs(parts, 10)
    assert alive == []
    assert not (node.data / "run" / "endpoints.json").exists()


def test_a_stop_while_the_node_still_starts_leaves_nothing_behind(launch: Launch, tmp_path: Path) -> None:
    node = Node(tmp_path / "data")
    node.begin()
    until(lambda: (node.data / "run" / "lock").exists(), "the lock")
    until(lambda: len(node.parts()) >= 3, "the first processes")
    parts = node.parts()
    assert node.stop(signal.SIGTERM) == 0
    _, alive = psutil.wait_procs(parts, 10)
    assert alive == []


def test_a_damaged_state_is_refused_with_its_place_and_left_as_it_is(launch: Launch, tmp_path: Path) -> None:
    node = launch()
    observe(node, level(LAKE, 1.0, now_us()))
    assert node.stop() == 0
    places = [file for file in (node.data / "state").rglob("*") if file.is_file()]
    largest = max(places, key=lambda file: file.stat().st_size)
    largest.write_bytes(b"\x00" * 8192)
    said = node.cli("up", "--set", f"http.port={node.port}")
    assert said.returncode == 1, said.stdout + said.stderr
    assert "state" in said.stderr
    assert "Traceback" not in said.stderr
    assert largest.read_bytes() == b"\x00" * 8192


SMALL_DISK = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=256m none "$0" && exec "$@"')


def small_disks_can_be_made(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*SMALL_DISK, str(folder), "true"], check=False, capture_output=True).returncode == 0
    )


def test_a_full_disk_refuses_plainly_and_loses_nothing_that_was_acknowledged(
    launch: Launch, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not small_disks_can_be_made(disk):
        pytest.skip("this system lets no test mount a small disk (unprivileged user namespaces are off)")
    node = launch(disk / "data", prefix=(*SMALL_DISK, str(disk)))
    # the disk exists for the node alone, and is gone with it
    inside = Path(f"/proc/{node.pid}/root{disk}")
    client = node.administrator()
    assert write(client, 0).status_code == 201

    with (inside / "filler").open("wb", buffering=0) as filler:
        fill(filler.fileno())
    refused, acknowledged = push_until_refused(client)
    assert refused, "a full disk refused nothing"
    assert {(each.status_code, each.json()["key"]) for each in refused} <= {(503, "store.full")}, [
        each.text for each in refused
    ]

    (inside / "filler").unlink()
    until(lambda: ready(node), "the node to go on by itself")
    until(lambda: write(client, 999).status_code == 201, "a write after room was made")
    for number in acknowledged:
        assert client.get(f"/ngsi-ld/v1/entities/{name(number)}").status_code == 200, number
    assert "ended with" not in (tmp_path / "disk" / "data.screen").read_text(), "no part fell over"


def fill(descriptor: int) -> None:
    """Writes until the disk takes no more."""
    size = 1 << 20
    while size:
        try:
            os.write(descriptor, b"\x00" * size)
        except OSError:
            size //= 2


def name(number: int) -> str:
    return f"urn:ngsi-ld:Reservoir:full:{number}"


def write(client: httpx.Client, number: int) -> httpx.Response:
    body = {"id": name(number), "type": "Reservoir", "note": {"type": "Property", "value": "x" * 20_000}}
    return client.post("/ngsi-ld/v1/entities", json=body)


def push_until_refused(client: httpx.Client) -> tuple[list[httpx.Response], list[int]]:
    """Writes entities until three were refused; returns the refusals, and what was acknowledged."""
    refused: list[httpx.Response] = []
    acknowledged: list[int] = [0]
    for number in range(1, 200):
        said = write(client, number)
        if said.status_code == 201:
            acknowledged.append(number)
        else:
            refused.append(said)
        if len(refused) >= 3:
            break
    return refused, acknowledged
