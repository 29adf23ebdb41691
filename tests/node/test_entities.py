"""``yunmeng entities`` against a broker and against a node with sign-in: what people type and read."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from tests.nodes import Node, refused, yunmeng

from yunmeng.client import BrokerError
from yunmeng.node.cli import cli

ROOMS = [
    {"id": "urn:ngsi-ld:Room:1", "type": "Room", "temperature": 21.5, "name": "东"},
    {"id": "urn:ngsi-ld:Room:2", "type": "Room", "temperature": 19, "name": "west"},
]


def run(*arguments: str, given: str = "") -> str:
    result = CliRunner().invoke(cli, ["entities", *arguments], input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def at(broker: Node) -> tuple[str, ...]:
    """The broker, in a tenant where a test is alone with its entities."""
    tenant = f"t{uuid4().hex}"
    return ("--url", broker.url, "--tenant", tenant)


def simple(at: tuple[str, ...], *arguments: str) -> list[dict[str, object]]:
    return json.loads(run("query", *at, "--type", "Room", "--simple", *arguments))


def test_from_a_list_to_nothing(at: tuple[str, ...]) -> None:
    assert "2 new" in run("put", *at, "-", given=json.dumps(ROOMS))
    assert "0 new" in run("put", *at, "-", given=json.dumps(ROOMS))
    assert simple(at) == ROOMS
    assert simple(at, "--q", "temperature>20") == ROOMS[:1]
    assert simple(at, "--limit", "1") == ROOMS[:1]
    one = json.loads(run("get", *at, "urn:ngsi-ld:Room:1"))
    assert one["temperature"] == {"type": "Property", "value": 21.5}
    run("patch", *at, "urn:ngsi-ld:Room:1", '{"temperature": 22, "name": null}')
    assert simple(at, "--q", "temperature==22") == [
        {"id": "urn:ngsi-ld:Room:1", "type": "Room", "temperature": 22}
    ]
    run("put", *at, "-", given='{"id": "urn:ngsi-ld:Hall:1", "type": "Hall"}')
    run("delete", *at, "urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:2")
    assert simple(at) == []
    assert [one["type"] for one in json.loads(run("query", *at))] == ["Hall"]


def test_put_replaces_unless_told_to_keep(at: tuple[str, ...]) -> None:
    run("put", *at, "-", given=json.dumps(ROOMS[0]))
    humid = json.dumps({"id": "urn:ngsi-ld:Room:1", "type": "Room", "humidity": 40})
    run("put", *at, "--keep", "-", given=humid)
    assert simple(at) == [{**ROOMS[0], "humidity": 40}]
    run("put", *at, "-", given=humid)
    assert simple(at) == [json.loads(humid)]


@pytest.mark.parametrize("lines", ["\n", "\r\n", "\n\n"])
def test_json_lines(at: tuple[str, ...], lines: str) -> None:
    run("put", *at, "-", given=lines.join(json.dumps(room) for room in ROOMS))
    assert simple(at) == ROOMS


def test_a_table_of_a_spreadsheet_goes_in_and_comes_out(at: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "rooms.csv"
    text = "id,type,name,floor,longitude,latitude\nRoom-1,Room,0012,3,114.3,30.5\nurn:room:2,Hall,big,,,\n"
    file.write_text(text, encoding="utf-8-sig")
    run("put", *at, str(file))
    room = simple(at)[0]
    # a text that only looks like a number stays text; what has no URI gets a URN
    assert room["id"] == "urn:ngsi-ld:Room:Room-1"
    assert (room["name"], room["floor"]) == ("0012", 3)
    assert room["location"] == {"type": "Point", "coordinates": [114.3, 30.5]}
    csv = run("query", *at, "--format", "csv").splitlines()
    assert set(csv[0].split(",")) == {"id", "type", "name", "floor", "longitude", "latitude"}
    assert {len(row.split(",")) for row in csv} == {6}
    assert len(csv) == 3
    again = tmp_path / "again.csv"
    again.write_text("\n".join(csv))
    assert "0 new" in run("put", *at, str(again))
    assert simple(at) == [room]


def test_a_map_goes_in_and_comes_out(at: tuple[str, ...]) -> None:
    point = {"type": "Point", "coordinates": [114.3, 30.5]}
    feature = {"type": "Feature", "id": 1, "geometry": point, "properties": {"name": "A"}}
    collection = {"type": "FeatureCollection", "features": [feature]}
    run("put", *at, "--type", "Room", "-", given=json.dumps(collection))
    shown = json.loads(run("query", *at, "--near", "114.3,30.5,10", "--format", "geojson"))
    assert shown["features"] == [
        {
            "type": "Feature",
            "id": "urn:ngsi-ld:Room:1",
            "geometry": point,
            "properties": {"type": "Room", "name": "A"},
        }
    ]


def test_a_table_for_people(at: tuple[str, ...]) -> None:
    run("put", *at, "-", given=json.dumps(ROOMS))
    shown = run("query", *at, "--format", "table")
    assert "urn:ngsi-ld:Room:1" in shown
    assert "temperature=21.5" in shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"id": ', 1),
        ('{"id": "urn:a:1", "type": "Room"}\nnonsense', 2),
        ("name,floor\nA,1", 1),
        ("id,type\nurn:a:1,Room,3", 2),
        ("id,type,longitude,latitude\nurn:a:1,Room,east,30", 2),
        ("[1]", 1),
        ("", 1),
    ],
)
def test_a_file_that_holds_none_is_refused_whole_by_its_line(
    at: tuple[str, ...], text: str, line: int
) -> None:
    with refused("cli.entities") as caught:
        run("put", *at, "-", given=text)
    assert caught.value.facts["line"] == line


def test_what_the_broker_refuses_is_told_for_each(at: tuple[str, ...]) -> None:
    wrong = {"id": "urn:ngsi-ld:Room:3", "type": "Room", "at": {"type": "Property"}}
    file = json.dumps([*ROOMS, wrong])
    with refused("client.batch"):
        run("put", *at, "-", given=file)
    assert simple(at) == ROOMS
    with pytest.raises(BrokerError, match=r"entity\.absent"):
        run("get", *at, "urn:ngsi-ld:Room:3")
    with pytest.raises(BrokerError, match=r"q\.value"):
        run("query", *at, "--q", "a==")
    with refused("cli.fragment"):
        run("patch", *at, "urn:ngsi-ld:Room:1", "temperature=3")
    with refused("client.url"):
        run("get", "--url", "localhost", "urn:ngsi-ld:Room:3")
    with refused("client.no-answer"):
        run("get", "--url", "http://127.0.0.1:9", "urn:ngsi-ld:Room:3")


def test_the_owner_of_a_nodes_folder_needs_no_sign_in(province: Node) -> None:
    here = ("--data", str(province.data))
    shed = {"id": "urn:ngsi-ld:Shed:9", "type": "Shed", "division": "420106", "name": "棚"}
    run("put", *here, "-", given=json.dumps(shed))
    assert json.loads(run("get", *here, "--simple", shed["id"])) == shed
    run("delete", *here, shed["id"])
    with pytest.raises(BrokerError, match=r"entity\.absent"):
        run("get", *here, shed["id"])
    held = province.cli("accounts", "token", "list", "--json")
    assert "command-line" not in held.stdout, "the token of a command ends with it"
    with refused("client.unauthenticated"):
        run("query", "--url", province.url, "--type", "Reservoir")


def test_a_refusal_ends_with_status_one_and_says_the_way_out(broker: Node) -> None:
    said = yunmeng("entities", "get", "--url", broker.url, "urn:ngsi-ld:Room:none", LANG="en_GB.UTF-8")
    assert said.returncode == 1
    assert said.stdout == ""
    assert "urn:ngsi-ld:Room:none" in said.stderr
    assert "→" in said.stderr
    assert "Traceback" not in said.stderr
