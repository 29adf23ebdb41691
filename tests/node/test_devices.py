"""``yunmeng devices`` against a running node: what people type and read."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.nodes import Node, refused

from yunmeng.node.cli import cli
from yunmeng.node.cli.calling import NodeError

HEADING = "kind,division,address,name,longitude,latitude,option:dialect\n"


@pytest.fixture
def say(province: Node) -> "Say":
    return Say(province)


class Say:
    """The command line at one node."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __call__(self, *arguments: str, given: str | bytes = "") -> str:
        command = ["devices", *arguments, "--data", str(self.node.data)]
        result = CliRunner().invoke(cli, command, input=given, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def table(self, *arguments: str) -> list[dict]:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def stations(say: Say) -> list[str]:
    """Three stations of a table with Chinese names, as a spreadsheet saves it."""
    rows = "".join(
        f"hydrological-station,420528,00421052{n:02d},清江{n}站,111.0,30.4,hubei\n" for n in (1, 2, 3)
    )
    known = {row["id"] for row in say.table("list", "--division", "420528")}
    ids = [f"sl651:00421052{n:02d}" for n in (1, 2, 3)]
    if f"urn:ngsi-ld:Device:{ids[0]}" not in known:
        assert "3 registered" in say("import", "-", given=(HEADING + rows).encode("gb18030"))
    return ids


def test_a_table_goes_in_and_comes_out_again(say: Say, stations: list[str]) -> None:
    listed = say.table("list", "--division", "420528", "--kind", "hydrological-station")
    assert [row["name"] for row in listed] == ["清江1站", "清江2站", "清江3站"]
    heading, *rows = say("export", "--division", "420528").splitlines()
    first = dict(zip(heading.split(","), rows[0].split(","), strict=True))
    assert first["address"] == "0042105201"
    assert first["option:dialect"] == "hubei"
    assert first["longitude"] == "111.0"
    assert "gateway" not in first, "the kind says it"
    # what came out can be read again: only that it is registered already stands in the way
    again = "\n".join((heading, *rows))
    with pytest.raises(NodeError) as caught:
        say("import", "-", given=again)
    assert caught.value.facts["name"] == "iot.known"


def test_a_faulty_table_is_refused_with_its_rows(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(HEADING + "hydro-station,420528,9,,,,\nlamp,999999,8,,,,\n")
    with pytest.raises(NodeError) as caught:
        say("import", str(file))
    assert caught.value.facts["name"] == "iot.rows"
    detail = str(caught.value.facts["detail"])
    assert "1: " in detail
    assert "2: " in detail


def test_one_device_from_the_shelf_to_the_scrap(say: Say) -> None:
    id = say(
        "register", "vehicle-terminal", "420106", "013800138901", "name=洒水车", "option:plate=鄂A1"
    ).strip()
    assert id == "urn:ngsi-ld:Device:jt808:013800138901"
    short = "jt808:013800138901"
    with pytest.raises(NodeError) as caught:
        say("commission", short)
    assert "place, online" in str(caught.value.facts["detail"])
    assert "place✗" in say("commission", short, "--accept", "--by", "王工")
    fault = say("faults", "report", short, "不上线").strip()
    say("faults", "step", fault, "assigned", "--assignee", "李工")
    say("maintain", short, "换天线", "--kind", "repair", "--part", "antenna=1", "--fault", fault,
        "--next-due", "2027-01-01T00:00:00+08:00")  # fmt: skip
    done = say.table("maintenance", short)
    assert {row["maintenanceKind"]: row["performedBy"] for row in done} == {
        "commissioning": "王工",
        "repair": "command-line",
    }
    assert [row["parts"] for row in done if "parts" in row] == [{"antenna": 1}]
    assert json.loads(say("show", short))["maintenanceDueAt"] == "2026-12-31T16:00:00.000Z"
    assert [row["faultState"] for row in say.table("faults", "list", short)] == ["assigned"]
    assert say("suspend", short).strip() == "1 / 1"
    assert say("activate", short).strip() == "1 / 1"
    assert say("retire", short).strip() == "1 / 1"
    assert say("activate", short).strip() == "0 / 1", "retired is for good"
    assert json.loads(say("show", short))["lifecycle"] == "retired"


def test_many_are_chosen_by_what_they_have_in_common(say: Say, stations: list[str]) -> None:
    here = ("--division", "420528")
    assert "2 changed" in say("tag", "flood-season", *stations[:2])
    assert len(say.table("list", "--tag", "flood-season")) == 2
    assert "1 changed" in say("tag", "flood-season", stations[0], "--remove")
    assert [row["address"] for row in say.table("list", *here, "--tag", "flood-season")] == ["0042105202"]
    told = say("configure", *here, "--kind", "hydrological-station", "interval=5")
    assert "3 / 3" in told
    assert "0 applied" in told, "none is online"
    assert json.loads(say("show", stations[2]))["desired"] == {"interval": 5}


def test_changing_everything_has_to_be_said(say: Say) -> None:
    with refused("cli.no-devices"):
        say("retire")
    with refused("cli.pair"):
        say("command", "jt808:1", "text", "hello")
