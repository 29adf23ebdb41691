"""The flood of ``docs/tutorials/flood.md``, played step by step as the page says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, DemoNode, demo_node, free_port

FLOOD = ROOT / "examples" / "flood"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs-node"), pytest.mark.timeout(300)]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[tuple[DemoNode, dict[str, str]]]:
    """The node that the page starts, and what its reader has in the environment."""
    port = free_port()
    line = f"gateways.lake=sl651+tcp://127.0.0.1:{port}?synthetic=1"
    with demo_node(tmp_path / "flood", line, command="up") as node:
        token = node.run(
            *("accounts", "token", "create", "office", "--data", str(node.data)),
            *("--role", "operator", "--division", "420000", "--days", "1"),
        ).split()[-1]
        yield node, {"YUNMENG_TOKEN": token, "STATION_PORT": str(port)}


def test_a_flood_goes_from_the_telegram_to_the_dispatch_order(
    office: tuple[DemoNode, dict[str, str]],
) -> None:
    node, environment = office

    def step(name: str, said: str = "", **more: str) -> None:
        printed = (FLOOD / f"{said or name}.out").read_text(encoding="utf-8")
        assert node.example(f"flood/{name}.py", **environment, **more) == printed, name

    step("register")
    assert "2 " in node.run("devices", "import", "--data", str(node.data), str(FLOOD / "stations.csv"))
    for name in ("telegram", "alert", "rain", "forecast", "dispatch"):
        step(name)
    step("telegram", "fallen", UPPER_LEVEL="103.40")
    step("end")
