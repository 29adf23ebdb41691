"""The command line makes and ends accounts and tokens of a running node, and the log tells who did it."""

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from tests.nodes import PASSWORD, Node, refused, until

from yunmeng.node.cli import cli

pytestmark = pytest.mark.xdist_group("province")


def run(node: Node, *arguments: str) -> str:
    result = CliRunner().invoke(
        cli, ["accounts", *arguments, "--data", str(node.data)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def told(node: Node, *arguments: str):
    return msgspec.json.decode(run(node, *arguments, "--json"))


def names(node: Node) -> set[str]:
    return {row["name"] for row in told(node, "list")}


def test_a_person_is_invited_signs_in_and_is_removed(province: Node) -> None:
    made = told(province, "create", "Liu.Wei", "--role", "operator", "--division", "420100")
    assert made["name"] == "liu.wei"
    person = province.client("liu.wei", made["password"])
    changed = person.post("/api/session/password", json={"old": made["password"], "new": PASSWORD})
    assert changed.status_code == 200, changed.text
    assert changed.json()["principal"]["divisions"] == ["420100"]
    lost = told(province, "reset", "liu.wei")["password"]
    assert person.get("/api/session").status_code == 401, "a reset ends open sessions"
    assert province.client("liu.wei", lost).get("/api/session").json()["mustChange"] is True
    assert "liu.wei" in run(province, "list")
    run(province, "remove", "Liu.Wei")
    assert "liu.wei" not in names(province)
    with refused("account.unknown"):
        run(province, "reset", "liu.wei")


def test_a_token_opens_the_node_until_it_is_revoked(province: Node) -> None:
    made = told(province, "token", "create", "weather", "--division", "420000", "--days", "3")
    headers = {"Authorization": f"Bearer {made['token']}"}
    types = f"{province.url}/ngsi-ld/v1/types"
    assert httpx.get(types, headers=headers).status_code == 200
    listed = run(province, "token", "list", "--json")
    assert made["id"] in listed
    assert made["token"] not in listed
    run(province, "token", "revoke", made["id"])
    until(lambda: httpx.get(types, headers=headers).status_code == 401, "the token to end", 5)
    with refused("token.unknown"):
        run(province, "token", "revoke", made["id"])


def test_what_cannot_be_is_refused(province: Node) -> None:
    before = names(province)
    with refused("account.role"):
        run(province, "create", "zhou", "--role", "king")
    with refused("division.unknown"):
        run(province, "create", "zhou", "--role", "viewer", "--division", "999999")
    assert CliRunner().invoke(cli, ["accounts", "create", "zhou"]).exit_code == 2, "a role is needed"
    assert names(province) == before


def test_what_the_command_line_did_is_in_the_audit_log(province: Node) -> None:
    password = told(province, "create", "audited", "--role", "viewer")["password"]
    run(province, "remove", "audited")

    def log() -> str:
        listed = ["audit", "list", "--last", "1000", "--json", "--data", str(province.data)]
        return CliRunner().invoke(cli, listed, catch_exceptions=False).stdout

    def deeds() -> list[str]:
        events = [event for event in msgspec.json.decode(log()) if event["resource"] == "person:audited"]
        assert {event["principal"] for event in events} <= {"system"}
        return [event["facts"]["deed"] for event in events]

    until(lambda: deeds() == ["create", "remove"], "both deeds in the log")
    assert password not in log()
