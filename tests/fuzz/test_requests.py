"""Parameters and bodies that no client would write, at a real broker: refused, never a fault or a hang."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.test_parsers import JSON, WORDS
from tests.nodes import Node

ROOT = "/ngsi-ld/v1"
MANY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
READS = (
    "/entities",
    "/entities/urn:ngsi-ld:Fuzz:1",
    "/temporal/entities",
    "/temporal/entities/urn:ngsi-ld:Fuzz:1",
    "/types",
    "/attributes",
    "/subscriptions",
    "/csourceRegistrations",
    "/jsonldContexts",
)
NAMES = (
    *("id", "type", "idPattern", "attrs", "q", "scopeQ", "lang", "options", "format", "georel", "geometry"),
    *("coordinates", "geoproperty", "geometryProperty", "pick", "omit", "local", "join", "joinLevel"),
    *("containedBy", "limit", "offset", "count", "orderBy", "collation", "datasetId", "timerel", "timeAt"),
    *("endTimeAt", "timeproperty", "lastN", "aggrMethods", "aggrPeriodDuration", "kind", "details", "csf"),
)
GOOD = {
    "type": "Fuzz",
    "q": "level>3|name~=.*x",
    "georel": "near;maxDistance==500",
    "geometry": "Point",
    "coordinates": "[114.3,30.5]",
    "timerel": "after",
    "timeAt": "2020-01-01T00:00:00Z",
    "options": "temporalValues",
    "pick": "id,level",
    "orderBy": "level;desc",
    "limit": "5",
    "count": "true",
}
PARAMETERS = st.builds(
    lambda good, odd: {**{name: GOOD[name] for name in good}, **odd},
    st.sets(st.sampled_from(sorted(GOOD))),
    st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=4),
)


@pytest.fixture(scope="module")
def client(broker: Node):
    entity = {
        "id": "urn:ngsi-ld:Fuzz:1",
        "type": "Fuzz",
        "level": {"type": "Property", "value": 5, "observedAt": "2026-01-01T00:00:00Z"},
        "name": {"type": "Property", "value": "a x"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [114.3, 30.5]}},
    }
    with httpx.Client(base_url=broker.url, timeout=20) as connected:
        connected.post(f"{ROOT}/entities", json=entity)
        yield connected


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.content:
        problem = answer.json()
        assert problem["type"].startswith("https://uri.etsi.org/ngsi-ld/errors/") or "urn:" in problem["type"]
        assert problem["title"]


@pytest.mark.slow
@pytest.mark.parametrize("path", READS)
def test_any_parameters_are_read_or_refused(client: httpx.Client, path: str) -> None:
    @MANY
    @given(PARAMETERS)
    def run(parameters: dict[str, str]) -> None:
        check(client.get(ROOT + path, params=parameters))

    run()


WRITES = (
    ("POST", "/entities"),
    ("PATCH", "/entities/urn:ngsi-ld:Fuzz:1"),
    ("PUT", "/entities/urn:ngsi-ld:Fuzz:2"),
    ("POST", "/entities/urn:ngsi-ld:Fuzz:1/attrs"),
    ("PATCH", "/entities/urn:ngsi-ld:Fuzz:1/attrs"),
    ("PATCH", "/entities/urn:ngsi-ld:Fuzz:1/attrs/level"),
    ("PUT", "/entities/urn:ngsi-ld:Fuzz:1/attrs/level"),
    ("POST", "/entityOperations/create"),
    ("POST", "/entityOperations/upsert"),
    ("POST", "/entityOperations/update"),
    ("POST", "/entityOperations/merge"),
    ("POST", "/entityOperations/delete"),
    ("POST", "/entityOperations/query"),
    ("POST", "/temporal/entityOperations/query"),
    ("POST", "/temporal/entities"),
    ("POST", "/temporal/entities/urn:ngsi-ld:Fuzz:1/attrs"),
    ("POST", "/jsonldContexts"),
)
_LEVEL = {"type": "Property", "value": 5, "observedAt": "2026-01-01T00:00:00Z"}
_WHOLE: dict[str, Any] = {"id": "urn:ngsi-ld:Fuzz:3", "type": "Fuzz", "level": _LEVEL}
_NAMES = (
    *("id", "type", "level", "location", "scope", "expiresAt", "@context", "entities", "q", "geoQ", "attrs"),
    *("temporalQ", "scopeQ", "value", "object", "observedAt", "unitCode", "datasetId", "languageMap"),
)
_MEMBERS = st.sampled_from(_NAMES)
BODIES = st.one_of(
    JSON,
    st.builds(lambda odd: {**_WHOLE, **odd}, st.dictionaries(_MEMBERS, JSON, max_size=3)),
    st.builds(lambda odd: {"type": "Query", **odd}, st.dictionaries(_MEMBERS, JSON, max_size=3)),
    st.builds(lambda odd: {"level": {**_LEVEL, **odd}}, st.dictionaries(_MEMBERS, JSON, max_size=3)),
    st.lists(
        st.builds(lambda odd: {**_WHOLE, **odd}, st.dictionaries(_MEMBERS, JSON, max_size=2)), max_size=3
    ),
)
MEDIA = st.sampled_from(("application/json", "application/ld+json", "application/merge-patch+json"))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_any_body_is_read_or_refused(client: httpx.Client, method: str, path: str) -> None:
    @MANY
    @given(BODIES, MEDIA)
    def run(body: Any, media: str) -> None:
        # a context elsewhere may be unavailable (504), which is no fault of the broker's
        text = json.dumps(body).replace("http", "hxxp")
        check(client.request(method, ROOT + path, content=text, headers={"content-type": media}))

    run()


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * 5000 + "]" * 5000, '"' + "\\u0000" * 9]
)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_body_without_a_bottom_is_refused(client: httpx.Client, method: str, path: str, text: str) -> None:
    answer = client.request(method, ROOT + path, content=text, headers={"content-type": "application/json"})
    check(answer)
    assert answer.status_code >= 400
