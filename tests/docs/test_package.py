"""The package of ``docs/how-to/write-a-package.md``, installed and at work in a node."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .conftest import ROOT, DemoNode, demo_node, wait_for

FOLDER = ROOT / "examples" / "package"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs-node"), pytest.mark.timeout(240)]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoNode]:
    """A node with what an editable installation leaves: the folder on the path, and the entry points."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    left = tmp_path / "site" / f"{project['name']}-{project['version']}.dist-info"
    left.mkdir(parents=True)
    (left / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (left / "entry_points.txt").write_text("".join(lines))
    monkeypatch.setenv("PYTHONPATH", f"{left.parent}:{FOLDER}")
    with demo_node(tmp_path / "noisy", command="up") as running:
        yield running


def test_a_package_in_under_a_hundred_lines_measures_alerts_and_computes(node: DemoNode) -> None:
    files = [FOLDER / "pyproject.toml", *(FOLDER / "noise").rglob("*.toml"), *(FOLDER / "noise").glob("*.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 100
    at = ("--data", str(node.data))
    assert "noise" in node.run("packages")
    token = node.run(
        "accounts", "token", "create", "road", *at, "--role", "operator", "--division", "420000"
    ).split()[-1]
    out = (FOLDER / "measure.out").read_text(encoding="utf-8")
    assert node.example("package/measure.py", YUNMENG_TOKEN=token) == out
    with httpx.Client(base_url=node.url, headers={"Authorization": f"Bearer {token}"}) as client:

        def alerts() -> list[dict[str, object]]:
            return client.get("/api/alerts", params={"rule": "noise.loud"}).json()

        wait_for(lambda: len(alerts()) == 1, 30, alerts)
        assert alerts()[0]["alertValue"] == 74.0
        views = client.get("/api/console").text
        assert "noise-meters" in views

        def level() -> object:
            assert '"meters": 1' in node.run("jobs", "run", "noise.levels", *at)
            said = node.run("entities", "get", *at, "urn:ngsi-ld:NoiseMeter:road")
            return json.loads(said).get("equivalentLevel", {}).get("value")

        # 60, 60 and 74 dB: 10 lg((10⁶ + 10⁶ + 10^7.4) / 3)
        wait_for(lambda: level() == 69.6, 30, level)
