"""Every example runs, and prints what the docs say it prints."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from yunmeng.kernel.base import load_settings

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
    # what the keeper committed reaches the history within its linger
    seen: list[str] = []

    def same() -> bool:
        seen.append(node.example(f"first_node/{name}.py"))
        return seen[-1] == printed(f"first_node/{name}.py")

    wait_for(same, 15, lambda: seen[-1])


def test_every_example_is_shown_and_has_its_output(pages: dict[Path, str]) -> None:
    shown = {name for text in pages.values() for name in re.findall(r"<!-- include: (\S+) -->", text)}
    assert shown == {str(file.relative_to(ROOT)) for file in EXAMPLES.rglob("*.*") if file.suffix != ".pyc"}


@pytest.mark.slow
def test_what_the_how_to_pages_say_of_a_running_node(node: DemoNode) -> None:
    assert "ready" not in node.run("quarantine", "list", "--data", str(node.data))
    assert "intact" in node.run("audit", "verify", "--data", str(node.data))
    assert "session.create" in node.run("audit", "list", "--data", str(node.data))
    assert "history" in node.run("status", "--data", str(node.data))


@pytest.mark.slow
def test_a_copied_folder_is_a_backup(node: DemoNode, tmp_path: Path) -> None:
    node.stop()  # so this test stands last
    shutil.copytree(node.data, tmp_path / "copy", symlinks=True)
    with demo_node(tmp_path / "copy") as second:
        entity = second.run("entities", "get", "--data", str(second.data), "urn:ngsi-ld:Reservoir:tutorial")
        assert "Tutorial reservoir" in entity
        assert "intact" in second.run("audit", "verify", "--data", str(second.data))
