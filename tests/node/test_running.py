"""A running node, driven as a person and a program drive it: HTTP, command line, bus."""

import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from tests.nodes import PASSWORD, Node, level, observe, refused, until, yunmeng

from yunmeng.kernel.base import now_us
from yunmeng.node.cli import cli

LD = {"Content-Type": "application/ld+json"}
pytestmark = pytest.mark.xdist_group("province")


def run(node: Node, *arguments: str) -> str:
    """Runs a command in this process: much quicker than a new one."""
    result = CliRunner().invoke(cli, [*arguments, "--data", str(node.data)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(node: Node, *arguments: str):
    return msgspec.json.decode(run(node, *arguments))


def reservoir() -> str:
    return f"urn:ngsi-ld:Reservoir:test:{uuid.uuid4().hex[:8]}"


def test_the_first_password_is_for_one_sign_in_and_must_be_changed(
    province: Node, administrator: httpx.Client
) -> None:
    assert re.fullmatch(r"\w{5}(-\w{5}){3}", province.one_time_password)
    used = httpx.post(
        f"{province.url}/api/session", json={"name": "admin", "password": province.one_time_password}
    )
    assert used.status_code == 401
    now = administrator.get("/api/session").json()
    assert now["name"] == "admin"
    assert now["mustChange"] is False
    assert now["principal"]["roles"] == ["administrator"]


def test_nothing_listens_beyond_this_machine(province: Node, administrator: httpx.Client) -> None:
    listening = {
        (connection.laddr.ip, part.cmdline()[-1])
        for part in province.parts()
        for connection in part.net_connections("inet")
        if connection.status == "LISTEN"
    }
    assert listening
    assert {address for address, _ in listening} == {"127.0.0.1"}, listening


def test_without_sign_in_only_the_open_routes_answer(province: Node) -> None:
    assert httpx.get(f"{province.url}/ready").json()["status"] == "ready"
    assert httpx.get(f"{province.url}/ngsi-ld/v1/entities?type=AdministrativeArea").status_code in (401, 403)
    assert httpx.get(f"{province.url}/api/plan/indicators").status_code in (401, 403)
    assert "云梦" in httpx.get(f"{province.url}/").text


def test_status_names_the_parts(province: Node) -> None:
    assert told(province, "status", "--json")["parts"] == {"bus": "ok", "state": "ok", "history": "ok"}
    assert province.url in run(province, "status")


def test_divisions_and_indicators_are_entities_from_the_first_start(province: Node) -> None:
    wuhan = told(province, "entities", "get", "urn:ngsi-ld:AdministrativeArea:420100")
    assert wuhan["name"]["value"] == "武汉市"
    assert wuhan["parent"]["object"] == "urn:ngsi-ld:AdministrativeArea:420000"
    found = told(province, "entities", "query", "--type", "AdministrativeArea", "--limit", "1000")
    # the province, its 17 and its 103; four units are of both levels
    assert len(found) == 117
    target = told(province, "entities", "query", "--type", "Indicator", "--q", "target==13")
    assert "urn:ngsi-ld:Indicator:I001" in [each["id"] for each in target]


def test_an_entity_that_is_not_there_is_said_in_both_languages(province: Node) -> None:
    missing = province.cli("entities", "get", "urn:ngsi-ld:Reservoir:none")
    assert missing.returncode == 1
    assert missing.stdout == ""
    assert "urn:ngsi-ld:Reservoir:none" in missing.stderr
    assert "entity.absent" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_bad_batch_is_set_aside_with_its_reason_and_sent_again(
    province: Node, administrator: httpx.Client
) -> None:
    good, ahead, nowhere = reservoir(), reservoir(), reservoir()
    before = {row["id"] for row in told(province, "quarantine", "list", "--json")}
    observe(
        province,
        level(ahead, 1.0, now_us() + 3_600_000_000),
        level(nowhere, 2.0, now_us(), division="999999"),
        level(good, 3.0, now_us(), unit="FURLONG"),
        b"\xc1 no batch",
        level(good, 4.0, now_us()),
    )

    def held() -> dict[str, dict[str, object]]:
        rows = told(province, "quarantine", "list", "--json")
        return {row["reason"]: row for row in rows if row["id"] not in before}

    until(lambda: len(held()) >= 4, "four batches in quarantine")
    assert {"observation.future", "division.unknown", "unit.unknown"} < held().keys()
    assert held()["observation.future"]["gateway"] == "test"
    until(lambda: administrator.get(f"/ngsi-ld/v1/entities/{good}").status_code == 200, "the good row")
    got = administrator.get(f"/ngsi-ld/v1/entities/{good}?options=keyValues").json()
    assert 4.0 in got.values(), got
    assert "division.unknown" in run(province, "quarantine", "list")
    _replayed_is_dropped(province, str(held()["division.unknown"]["id"]))


def _replayed_is_dropped(province: Node, id: str) -> None:
    """Sent again unmended it is refused again, under a new id; nothing is lost on the way."""
    assert run(province, "quarantine", "replay", id).strip() == "1 / 1"

    def places() -> list[str]:
        rows = told(province, "quarantine", "list", "--json")
        return [row["id"] for row in rows if row["reason"] == "division.unknown"]

    until(lambda: places() and id not in places(), "the replayed batch to come back")


def test_replaying_what_is_not_there_sends_nothing(province: Node) -> None:
    waiting = told(province, "quarantine", "list", "--json")
    with refused("quarantine.absent"):
        run(province, "quarantine", "replay", *(row["id"] for row in waiting), "obs-nothing")
    assert told(province, "quarantine", "list", "--json") == waiting


def test_a_job_runs_and_its_file_can_be_fetched(province: Node, administrator: httpx.Client) -> None:
    ran = told(province, "jobs", "run", "plan.report")
    assert ran["state"] == "done"
    assert ran["result"]["indicators"] == 99
    assert ran["files"][0]["media_type"] == "text/csv"
    name = ran["files"][0]["name"]
    got = administrator.get(f"/api/jobs/runs/{ran['id']}/files/{name}")
    assert got.status_code == 200, got.text
    assert "I001" in got.text


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("jobs", "run", "plan.nothing"), "job.unknown"),
        (("jobs", "run", "plan.report", "--input", "until=yesterday"), "job.input"),
        (("jobs", "run", "plan.report", "--input", "colour=blue"), "job.input"),
    ],
)
def test_what_the_node_refuses_is_told_by_the_command_line(
    province: Node, arguments: tuple[str, ...], key: str
) -> None:
    with refused(key):
        run(province, *arguments)


def test_what_was_done_is_in_the_audit_log_which_verifies(
    province: Node, administrator: httpx.Client
) -> None:
    # the node is shared, and may have done thousands of things since it was first signed in to
    province.client("admin", PASSWORD)
    body = {"id": reservoir(), "type": "Reservoir", "division": "420100"}
    made = administrator.post("/ngsi-ld/v1/entities", json=body)
    assert made.status_code == 201, made.text

    def actions() -> set[str]:
        return {event["action"] for event in told(province, "audit", "list", "--json", "--last", "100")}

    until(lambda: {"session.create", "entity.write"} <= actions(), "the events in the log")
    assert "session.create" in run(province, "audit", "list", "--last", "100")
    report = told(province, "audit", "verify", "--json")
    assert report["ok"] is True
    assert report["size"] > 1


def test_a_log_that_was_altered_ends_with_status_two(province: Node, tmp_path) -> None:
    copy = tmp_path / "audit"
    until(lambda: told(province, "audit", "list", "--json"), "events")
    shutil.copytree(province.data / "audit", copy)
    key = (province.data / "audit.vkey").read_text().strip()
    largest = max((file for file in copy.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    said = yunmeng("audit", "verify", "--folder", str(copy), "--key", key)
    assert said.returncode == 2, said.stdout + said.stderr
    assert "altered" in said.stdout


def test_bad_input_over_http_is_refused_and_the_node_goes_on(
    province: Node, administrator: httpx.Client
) -> None:
    entity = {"id": reservoir(), "type": "Reservoir", "division": "420100"}
    bad: list[tuple[object, dict[str, str]]] = [
        (b"{", {}),
        (b"[1,", {}),
        (b'{"id": 5}', {}),
        ({**entity, "id": "urn:ngsi-ld:Reservoir:a\u0000b"}, {}),
        ({**entity, "https://w3id.org/yunmeng/division": "999999"}, {}),
        ({**entity, "waterLevel": {"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00"}}, {}),
        ({**entity, "waterLevel": {"type": "Property", "value": 1, "observedAt": "soon"}}, {}),
        (
            {**entity, "@context": "https://nowhere.invalid/context.jsonld"},
            LD,
        ),
        ({**entity, "@context": "file:///etc/passwd"}, LD),
    ]
    for body, headers in bad:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        said = administrator.post(
            "/ngsi-ld/v1/entities", content=content, headers={"Content-Type": "application/json", **headers}
        )
        assert 400 <= said.status_code < 600, (body, said.text)
        assert said.status_code != 500, (body, said.text)
        assert {"type", "title", "status", "key"} <= said.json().keys()
    large = administrator.post("/ngsi-ld/v1/entities", content=b" " * (9 << 20))
    assert large.status_code == 413
    assert administrator.get(f"/ngsi-ld/v1/entities/{entity['id']}").status_code == 404
    assert httpx.get(f"{province.url}/ready").status_code == 200


def test_a_second_node_on_the_folder_is_refused_and_harms_nothing(province: Node) -> None:
    other = province.cli("up", "--set", "http.port=0")
    assert other.returncode == 1
    assert "node.running" in other.stderr
    assert httpx.get(f"{province.url}/ready").status_code == 200


def test_a_second_node_on_the_port_is_refused(province: Node, tmp_path) -> None:
    other = yunmeng("up", "--data", str(tmp_path / "data"), "--set", f"http.port={province.port}")
    assert other.returncode == 1
    assert "node.port-busy" in other.stderr
    assert str(province.port) in other.stderr
    assert not (tmp_path / "data").exists()


def test_a_full_quarantine_says_what_it_dropped(launch: Callable[..., Node], tmp_path: Path) -> None:
    node = launch(tmp_path / "data", "--set", "keeper.max_quarantined=2")
    client = node.administrator()
    observe(node, *(b"\xc1 no batch %d" % number for number in range(5)))
    until(lambda: client.get("/api/quarantine").json()["dropped"] == 3, "three to make room")
    assert client.get("/api/quarantine").json()["count"] == 2
    assert "yunmeng_quarantine_dropped_total 3" in client.get("/metrics").text
    said = node.cli("quarantine", "list", "--json")
    assert len(msgspec.json.decode(said.stdout)) == 2
    assert "3 dropped" in said.stderr
