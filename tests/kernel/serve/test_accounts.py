"""Accounts and tokens over HTTP: made, changed and ended; nobody gives more than they have; secrets once."""

import httpx
import pytest

from yunmeng.kernel.trust import Principal

ACCOUNTS, TOKENS = "/api/accounts", "/api/tokens"
PASSWORD = "lantern quarry 83 otter violin"
ADMIN = Principal("person:root", roles=("administrator",), clearance=4)
LI = {"name": "Li", "roles": ["operator"], "divisions": ["420100"], "clearance": 2, "display": "李"}


def browser(node) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(node.app), base_url="http://node.test")


async def signed_in(client: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    said = await client.post("/api/session", json={"name": name, "password": password})
    if said.status_code == 201:
        client.headers["X-CSRF-Token"] = said.json()["csrf"]
    return said


async def test_a_new_account_signs_in_once_and_must_change_its_password(node, admin) -> None:
    made = await admin.post(ACCOUNTS, json=LI)
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    password = made.json().pop("password")
    shown = (await admin.get(f"{ACCOUNTS}/li")).json()
    assert shown == {key: value for key, value in made.json().items() if key != "password"}
    assert shown["mustChange"] is True
    assert shown["roles"] == ["operator"]
    assert password not in (await admin.get(ACCOUNTS)).text
    async with browser(node) as li:
        assert (await signed_in(li, "li", password)).json()["mustChange"] is True
        assert (await li.get("/ngsi-ld/v1/types")).status_code == 403
        changed = await li.post("/api/session/password", json={"old": password, "new": PASSWORD})
        assert changed.status_code == 200, changed.text
        assert (await li.get("/ngsi-ld/v1/types")).status_code == 200
        assert (await signed_in(li, "li", password)).status_code == 401


async def test_a_lost_password_is_replaced_and_open_sessions_end(node, admin) -> None:
    first = (await admin.post(ACCOUNTS, json=LI)).json()["password"]
    async with browser(node) as li:
        await signed_in(li, "li", first)
        reset = await admin.post(f"{ACCOUNTS}/li/password")
        assert reset.status_code == 200, reset.text
        assert reset.json().keys() == {"name", "password"}
        assert (await li.get("/api/session")).status_code == 401
        assert (await signed_in(li, "li", first)).status_code == 401
        assert (await signed_in(li, "li", reset.json()["password"])).status_code == 201


async def test_an_account_is_changed_disabled_and_removed(node, admin) -> None:
    password = (await admin.post(ACCOUNTS, json={**LI, "name": "王五"})).json()["password"]
    changed = await admin.patch(f"{ACCOUNTS}/王五", json={"roles": ["viewer"], "language": "en"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["roles"] == ["viewer"]
    assert changed.json()["divisions"] == ["420100"], "what was not named stays"
    await admin.patch(f"{ACCOUNTS}/王五", json={"disabled": True})
    async with browser(node) as wang:
        assert (await signed_in(wang, "王五", password)).status_code == 401
    assert (await admin.delete(f"{ACCOUNTS}/王五")).status_code == 204
    for answer in (
        await admin.get(f"{ACCOUNTS}/王五"),
        await admin.patch(f"{ACCOUNTS}/王五", json={}),
        await admin.delete(f"{ACCOUNTS}/王五"),
        await admin.post(f"{ACCOUNTS}/王五/password"),
    ):
        assert (answer.status_code, answer.json()["key"]) == (404, "account.unknown")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"roles": ["king"]}, "account.role"),
        ({"clearance": 9}, "account.grade"),
        ({"divisions": ["999999"]}, "division.unknown"),
        ({"name": "no name"}, "account.name"),
        ({"roles": "viewer"}, "json.shape"),
        ({"clearance": True}, "json.shape"),
        ({"language": "fr"}, "json.shape"),
        ({"password": PASSWORD}, "json.shape"),
        ({"tenant": "other"}, "json.shape"),
        ({"display": "x" * 201}, "json.shape"),
    ],
)
async def test_bad_accounts_are_refused(admin, change: dict[str, object], key: str) -> None:
    answer = await admin.post(ACCOUNTS, json={**LI, **change})
    assert (answer.status_code, answer.json()["key"]) == (400, key)
    assert (await admin.get(ACCOUNTS)).json() == []


async def test_a_name_is_given_once(admin) -> None:
    assert (await admin.post(ACCOUNTS, json=LI)).status_code == 201
    again = await admin.post(ACCOUNTS, json={**LI, "name": "LI"})
    assert (again.status_code, again.json()["key"]) == (409, "account.exists")


async def test_nobody_gives_or_touches_more_than_they_have(node, admin) -> None:
    await admin.post(ACCOUNTS, json={**LI, "name": "boss", "roles": ["administrator"], "divisions": []})
    await admin.post(ACCOUNTS, json={**LI, "name": "yichang", "divisions": ["420500"]})
    await admin.post(ACCOUNTS, json={**LI, "name": "keen", "clearance": 4})
    wuhan = await node.client("administrator", divisions=("420100",), clearance=2)
    for beyond in (
        {"divisions": ["420000"]},
        {"divisions": [], "roles": ["administrator"]},
        {"clearance": 3},
    ):
        answer = await wuhan.post(ACCOUNTS, json={**LI, **beyond})
        assert (answer.status_code, answer.json()["key"]) == (403, "account.grant"), beyond
        token = await wuhan.post(
            TOKENS, json={"name": "x", "kind": "service", "divisions": ["420100"], **beyond}
        )
        assert (token.status_code, token.json()["key"]) == (403, "account.grant"), beyond
    assert (await wuhan.post(ACCOUNTS, json=LI)).status_code == 201
    assert [row["name"] for row in (await wuhan.get(ACCOUNTS)).json()] == ["keen", "li"]
    for name in ("boss", "yichang"):
        assert (await wuhan.post(f"{ACCOUNTS}/{name}/password")).status_code == 404, "out of sight"
    assert (await wuhan.post(f"{ACCOUNTS}/keen/password")).json()["key"] == "account.grant"
    assert (await wuhan.patch(f"{ACCOUNTS}/li", json={"divisions": ["420000"]})).status_code == 403


async def test_each_tenant_has_its_own(node, admin) -> None:
    power = {"NGSILD-Tenant": "power"}
    await admin.post(ACCOUNTS, json=LI)
    await admin.post(ACCOUNTS, json={**LI, "name": "zhao"}, headers=power)
    theirs = await node.client("administrator", tenant="power", clearance=4)
    assert [row["name"] for row in (await theirs.get(ACCOUNTS)).json()] == ["zhao"]
    assert [row["name"] for row in (await admin.get(ACCOUNTS)).json()] == ["li"]
    assert [row["name"] for row in (await admin.get(ACCOUNTS, headers=power)).json()] == ["zhao"]
    assert (await theirs.delete(f"{ACCOUNTS}/li")).status_code == 404
    made = await theirs.post(ACCOUNTS, json={**LI, "name": "sun"})
    assert made.json()["tenant"] == "power"
    assert (await admin.delete(f"{ACCOUNTS}/sun")).status_code == 404
    assert (await admin.delete(f"{ACCOUNTS}/sun", headers=power)).status_code == 204
    mine = {row["id"] for row in (await admin.get(TOKENS)).json()}
    assert not mine & {row["id"] for row in (await theirs.get(TOKENS)).json()}


async def test_nobody_takes_their_own_access(node, admin) -> None:
    password = (await admin.post(ACCOUNTS, json={**LI, "roles": ["administrator"]})).json()["password"]
    async with browser(node) as li:
        await signed_in(li, "li", password)
        changed = await li.post("/api/session/password", json={"old": password, "new": PASSWORD})
        li.headers["X-CSRF-Token"] = changed.json()["csrf"]
        for answer in (
            await li.delete(f"{ACCOUNTS}/li"),
            await li.patch(f"{ACCOUNTS}/li", json={"disabled": True}),
            await li.patch(f"{ACCOUNTS}/li", json={"roles": ["viewer"]}),
        ):
            assert (answer.status_code, answer.json()["key"]) == (409, "account.self")
        del li.headers["X-CSRF-Token"]
        assert (await li.post(ACCOUNTS, json=LI)).json()["key"] == "session.csrf"


async def test_roles_that_do_not_administer_are_refused(node, admin) -> None:
    await admin.post(ACCOUNTS, json=LI)
    for role in ("operator", "analyst", "viewer", "service", "device", "node"):
        client = await node.client(role, divisions=("420000",))
        assert (await client.get(ACCOUNTS)).status_code == 403
        assert (await client.get(TOKENS)).status_code == 403
        assert (await client.post(ACCOUNTS, json=LI)).status_code == 403
    auditor = await node.client("auditor", divisions=("420000",))
    assert [row["name"] for row in (await auditor.get(ACCOUNTS)).json()] == ["li"]
    assert (await auditor.post(f"{ACCOUNTS}/li/password")).status_code == 403
    nowhere = await node.client("auditor")
    assert (await nowhere.get(ACCOUNTS)).json() == []
    assert (await nowhere.get(TOKENS)).json() == []


async def test_a_token_is_shown_once_works_and_ends(node, admin) -> None:
    asked = {"name": "weather", "kind": "service", "divisions": ["420000"], "days": 30}
    made = await admin.post(TOKENS, json=asked)
    assert made.status_code == 201, made.text
    text, id_ = made.json()["token"], made.json()["id"]
    listed = await admin.get(TOKENS)
    assert text not in listed.text
    assert "hash" not in listed.text
    row = next(row for row in listed.json() if row["id"] == id_)
    assert (row["name"], row["kind"], row["roles"]) == ("weather", "service", ["service"])
    async with browser(node) as weather:
        weather.headers["Authorization"] = f"Bearer {text}"
        assert (await weather.get("/api/session")).json()["principal"]["id"] == "service:weather"
    assert (await admin.delete(f"{TOKENS}/{id_}")).status_code == 204
    again = await admin.delete(f"{TOKENS}/{id_}")
    assert (again.status_code, again.json()["key"]) == (404, "token.unknown")
    async with browser(node) as late:
        # the same token in another spelling of the scheme: what is believed for a second is the header
        late.headers["Authorization"] = f"bearer {text}"
        assert (await late.get("/api/session")).status_code == 401
    for wrong in ({"kind": "person"}, {"days": 0}, {"days": 10_000}, {"extra": 1}):
        assert (await admin.post(TOKENS, json={**asked, **wrong})).json()["key"] == "json.shape"


async def test_the_audit_log_tells_what_was_done_and_no_secret(node, admin) -> None:
    password = (await admin.post(ACCOUNTS, json=LI)).json()["password"]
    other = (await admin.post(f"{ACCOUNTS}/li/password")).json()["password"]
    await admin.patch(f"{ACCOUNTS}/li", json={"roles": ["viewer"], "disabled": True})
    await admin.delete(f"{ACCOUNTS}/li")
    token = (await admin.post(TOKENS, json={"name": "gw", "kind": "device"})).json()
    await admin.delete(f"{TOKENS}/{token['id']}")
    events = await node.audited()
    deeds = [event for event in events if "deed" in event.facts]
    assert [(event.facts["deed"], event.resource) for event in deeds] == [
        ("create", "person:li"),
        ("reset", "person:li"),
        ("update", "person:li"),
        ("remove", "person:li"),
        ("issue", "device:gw"),
        ("revoke", "device:gw"),
    ]
    assert deeds[0].facts["roles"] == "operator"
    assert deeds[2].facts["roles"] == "viewer"
    assert deeds[2].facts["disabled"] == "true"
    assert {event.action for event in deeds} == {"account.write"}
    told = repr(events)
    for secret in (password, other, token["token"]):
        assert secret not in told
