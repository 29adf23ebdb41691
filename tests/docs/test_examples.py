"""Every example runs, and prints what the docs say it prints."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from yunmeng.kernel.base import load_settings, now_us
from yunmeng.kernel.model import Row, Series
from yunmeng.kernel.sense import Packer
from yunmeng.node.parts import SERVICE, connected

from .conftest import ROOT, DemoNode, demo_node, wait_for

EXAMPLES = ROOT / "examples"
TUTORIAL = ("create", "publish", "subscribe", "query", "series")

pytestmark = [pytest.mark.xdist_group("docs-node"), pytest.mark.timeout(240)]


def printed(name: str) -> str:
    return (EXAMPLES / name).with_suffix(".out").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoNode]:
    with demo_node(tmp_path_factory.mktemp("docs") / "demo") as running:
        for name in TUTORIAL[:3]:
            assert running.example(f"first_node/{name}.py") == printed(f"first_node/{name}.py"), name
        yield running


def test_the_library_example() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "library.py")], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == printed("library.py")


@pytest.mark.parametrize("name", ["yunmeng", "grown"])
def test_the_settings_files_are_read(name: str) -> None:
    settings = load_settings(EXAMPLES / f"{name}.toml", env={})
    assert settings.node.division == "420100"
    assert (settings.history.engine == "clickhouse") == (name == "grown")


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIAL[3:])
def test_the_tutorial_ends_as_it_says(node: DemoNode, name: str) -> None:
    # what the keeper committed reaches the history after the day before, which a first start fills in
    seen: list[str] = []

    def same() -> bool:
        try:
            seen.append(node.example(f"first_node/{name}.py"))
        except AssertionError as not_yet:
            seen.append(str(not_yet))
        return seen[-1] == printed(f"first_node/{name}.py")

    wait_for(same, 90, lambda: seen[-1])


def test_every_example_is_shown_and_has_its_output(pages: dict[Path, str]) -> None:
    shown = {name for text in pages.values() for name in re.findall(r"<!-- include: (\S+) -->", text)}
    assert shown == {str(file.relative_to(ROOT)) for file in EXAMPLES.rglob("*.*") if file.suffix != ".pyc"}


@pytest.mark.slow
def test_what_the_how_to_pages_say_of_a_running_node(node: DemoNode) -> None:
    assert "intact" in node.run("audit", "verify", "--data", str(node.data))
    assert "session.create" in node.run("audit", "list", "--data", str(node.data))
    assert "history" in node.run("status", "--data", str(node.data))


@pytest.mark.slow
def test_the_broker_tutorial_goes_as_it_says(node: DemoNode) -> None:
    at = ("--data", str(node.data))
    assert "5 new" in node.run("entities", "put", *at, str(EXAMPLES / "broker" / "sensors.csv"))
    assert "East Lake gauge" in node.run(
        "entities", "query", *at, "--q", 'project=="tutorial"', "--format", "csv"
    )
    for name in ("live", "alarm", "history"):
        assert node.example(f"broker/{name}.py", ROUNDS="2") == printed(f"broker/{name}.py"), name


@pytest.mark.slow
async def test_the_quarantine_is_listed_and_replayed(node: DemoNode) -> None:
    tomorrow = Row(
        Series("urn:ngsi-ld:Meter:1", "u:power", "u:Meter", "420106"), now_us() + 86_400_000_000, 1
    )
    async with (
        connected(load_settings(env={}, overrides=[f"node.data={node.data}"])) as parts,
        Packer(parts.bus, "late-clock", SERVICE) as packer,
    ):
        await packer.add(tomorrow)

    def held() -> list[dict[str, str]]:
        return json.loads(node.run("quarantine", "list", "--json", "--data", str(node.data)))

    wait_for(lambda: len(held()) == 1, 20, held)
    first = held()[0]
    assert (first["gateway"], first["reason"]) == ("late-clock", "observation.future")
    assert "1 / 1" in node.run("quarantine", "replay", "--data", str(node.data), first["id"])
    wait_for(lambda: [one["id"] for one in held()] not in ([], [first["id"]]), 20, held)


@pytest.mark.slow
def test_a_copied_folder_is_a_backup(node: DemoNode, tmp_path: Path) -> None:
    node.stop()  # so this test stands last
    shutil.copytree(node.data, tmp_path / "copy", symlinks=True)
    with demo_node(tmp_path / "copy") as second:
        entity = second.run("entities", "get", "--data", str(second.data), "urn:ngsi-ld:Reservoir:tutorial")
        assert "Tutorial reservoir" in entity
        assert "intact" in second.run("audit", "verify", "--data", str(second.data))
