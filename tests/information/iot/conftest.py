"""People of a province and of a city at one node."""

import itertools

import httpx
import pytest
from tests.nodes import PASSWORD, Node

_names = itertools.count(1)


@pytest.fixture
def wuhan(province: Node, administrator: httpx.Client) -> httpx.Client:
    """An operator who sees Wuhan only."""
    name = f"wuhan-{next(_names)}"
    made = administrator.post(
        "/api/accounts", json={"name": name, "roles": ["operator"], "divisions": ["420100"]}
    )
    assert made.status_code == 201, made.text
    client = province.client(name, made.json()["password"])
    said = client.post("/api/session/password", json={"old": made.json()["password"], "new": PASSWORD + name})
    assert said.status_code == 200, said.text
    client.headers["X-CSRF-Token"] = said.json()["csrf"]
    return client


@pytest.fixture
def address() -> str:
    """An address that no other test uses."""
    return f"{next(_names):012d}"
