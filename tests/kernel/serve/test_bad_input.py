from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

ENTITIES = "/ngsi-ld/v1/entities"
JSON = {"content-type": "application/json"}


def meter(**more: Any) -> dict[str, Any]:
    return {"id": "urn:ngsi-ld:Meter:1", "type": "Meter", "power": {"type": "Property", "value": 3.5}, **more}


FUTURE = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")

CASES: list[tuple[str, dict[str, Any], int, str]] = [
    ("malformed", {"content": b'{"id": ', "headers": JSON}, 400, "json.malformed"),
    ("not utf-8", {"content": b'{"id": "\xff"}', "headers": JSON}, 400, "json.malformed"),
    ("empty", {"content": b"", "headers": JSON}, 400, "json.empty"),
    ("nothing", {"content": b"{}", "headers": {"content-type": "application/ld+json"}}, 400, "json.empty"),
    ("an empty array", {"json": []}, 400, "json.empty"),
    ("an empty object", {"json": {}}, 400, "json.empty"),
    ("deep", {"content": b"[" * 100_000, "headers": JSON}, 400, "json.deep"),
    ("an array", {"json": [1]}, 400, "json.object"),
    ("no type", {"json": {"id": "urn:ngsi-ld:Meter:1"}}, 400, "entity.no-type"),
    ("type of the wrong kind", {"json": meter(type=7)}, 400, "entity.type"),
    ("id of the wrong kind", {"json": meter(id=7)}, 400, "id.bad"),
    ("control characters in the id", {"json": meter(id="urn:ngsi-ld:Meter:1\u0000")}, 400, "id.bad"),
    ("a unit nobody knows", {"json": meter(power={"value": 1, "unitCode": "XYZZY"})}, 400, "unit.unknown"),
    ("a future time", {"json": meter(power={"value": 1, "observedAt": FUTURE})}, 400, "time.future"),
    (
        "a naive time",
        {"json": meter(power={"value": 1, "observedAt": "2026-01-01T00:00:00"})},
        400,
        "time.naive",
    ),
    ("no time", {"json": meter(power={"value": 1, "observedAt": "yesterday"})}, 400, "time.bad"),
    (
        "a division that is not",
        {"json": meter(**{"https://w3id.org/yunmeng/division": {"value": "999999"}})},
        400,
        "division.unknown",
    ),
    (
        "a bad context URL",
        {"json": meter(**{"@context": "ftp://nowhere"}), "headers": {"content-type": "application/ld+json"}},
        400,
        "context.invalid",
    ),
    (
        "a context that does not answer",
        {
            "json": meter(**{"@context": "http://nowhere.invalid/none.jsonld"}),
            "headers": {"content-type": "application/ld+json"},
        },
        504,
        "context.unavailable",
    ),
    (
        "a context beside the node",
        {
            "json": meter(**{"@context": "http://127.0.0.1:9/none.jsonld"}),
            "headers": {"content-type": "application/ld+json"},
        },
        504,
        "context.private",
    ),
    ("a tenant that cannot be", {"json": meter(), "headers": {"NGSILD-Tenant": "A B"}}, 400, "tenant.bad"),
]


@pytest.mark.parametrize(
    ("request_", "status", "key"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
async def test_bad_entities_are_refused_whole(
    admin: httpx.AsyncClient, request_: dict[str, Any], status: int, key: str
) -> None:
    answer = await admin.post(ENTITIES, **request_)
    problem = answer.json()
    assert (answer.status_code, problem["key"]) == (status, key), problem
    assert problem["type"].startswith("https://uri.etsi.org/ngsi-ld/errors/")
    assert problem["title"]
    assert problem["detail"] != key
    assert answer.headers["content-language"] == "zh-CN"
    assert (await admin.get(f"{ENTITIES}/urn:ngsi-ld:Meter:1")).status_code == 404


async def test_a_context_that_does_not_answer_has_its_own_type(admin: httpx.AsyncClient) -> None:
    link = '<http://127.0.0.1:9/x>; rel="http://www.w3.org/ns/json-ld#context"'
    answer = await admin.get(f"{ENTITIES}?type=Meter", headers={"link": link})
    assert answer.status_code == 504
    assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/LdContextNotAvailable"


ADDRESSES = {"POST": ENTITIES, "PATCH": f"{ENTITIES}/urn:ngsi-ld:X:1", "PUT": f"{ENTITIES}/urn:ngsi-ld:X:1"}


@pytest.mark.parametrize("method", ADDRESSES)
async def test_ngsi_ld_wants_the_length_of_a_body(admin: httpx.AsyncClient, method: str) -> None:
    """§6.3.2, §6.3.4: 411 and nothing else, whatever the request is about."""

    async def chunks():
        yield b"{}"

    headers = {**JSON, "NGSILD-Tenant": "nowhere"}
    answer = await admin.request(method, ADDRESSES[method], content=chunks(), headers=headers)
    assert (answer.status_code, answer.content) == (411, b"")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_an_address_without_an_id(admin: httpx.AsyncClient, method: str) -> None:
    answer = await admin.request(method, f"{ENTITIES}/", json={"type": "X"})
    assert (answer.status_code, answer.json()["key"]) == (400, "id.bad")


async def test_a_context_without_a_context(admin: httpx.AsyncClient) -> None:
    """§5.13.2."""
    answer = await admin.post("/ngsi-ld/v1/jsonldContexts", json={"A1": "urn:a"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "InvalidRequest")


async def test_a_refusal_names_the_tenant(admin: httpx.AsyncClient) -> None:
    """§6.3.14."""
    answer = await admin.get(f"{ENTITIES}/urn:ngsi-ld:X:1", headers={"NGSILD-Tenant": "nowhere"})
    assert (answer.status_code, answer.headers["NGSILD-Tenant"]) == (404, "nowhere")


async def test_a_weight_that_is_none_says_nothing(admin: httpx.AsyncClient) -> None:
    """RFC 9110 §12.4.2: the default weight is 1."""
    answer = await admin.get(f"{ENTITIES}?type=X", headers={"Accept": "application/ld+json;q=much"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ld+json")


async def test_an_oversized_body_is_refused_declared_or_not(admin: httpx.AsyncClient) -> None:
    big = b'"' + b"x" * (9 << 20) + b'"'

    async def chunks():
        for start in range(0, len(big), 1 << 16):
            yield big[start : start + (1 << 16)]

    for address, body in ((ENTITIES, big), ("/api/session", chunks())):
        answer = await admin.post(address, content=body, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["key"] == "body.large"


async def test_errors_speak_the_callers_language(admin: httpx.AsyncClient) -> None:
    chinese = (await admin.get(f"{ENTITIES}/no-urn")).json()
    english = (
        await admin.get(f"{ENTITIES}/no-urn", headers={"accept-language": "fr;q=1, en-GB;q=0.8"})
    ).json()
    assert chinese["key"] == english["key"] == "id.bad"
    assert chinese["title"] != english["title"]
    assert english["title"].isascii()


async def test_problems_of_the_platform_are_problem_json(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/session", content=b"{", headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:yunmeng:error:json.malformed"


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        ("", 400, "query.selector"),
        ("type=Meter&limit=-1", 400, "query.number"),
        ("type=Meter&limit=0", 400, "query.limit-zero"),
        ("type=Meter&limit=5000", 403, "query.too-many"),
        ("type=Meter&offset=x", 400, "query.number"),
        ("type=Meter&count=maybe", 400, "query.value"),
        ("idPattern=(", 400, None),
        ("id=no-urn", 400, "id.bad"),
        ("type=Meter&q=power>", 400, None),
        ("type=Meter&georel=near;maxDistance==1", 400, None),
        ("type=Meter&pick=a&omit=a", 400, "query.pick-and-omit"),
        ("type=Meter&scopeQ=//", 400, None),
    ],
)
async def test_bad_queries(admin: httpx.AsyncClient, query: str, status: int, key: str | None) -> None:
    answer = await admin.get(f"{ENTITIES}?{query}")
    assert answer.status_code == status, answer.text
    assert key is None or answer.json()["key"] == key


async def test_an_unknown_tenant_is_said_to_be_one(admin: httpx.AsyncClient) -> None:
    headers = {"NGSILD-Tenant": "nobody"}
    for address in (f"{ENTITIES}?type=Meter", f"{ENTITIES}/urn:ngsi-ld:Meter:1"):
        answer = await admin.get(address, headers=headers)
        assert answer.status_code == 404
        assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/NonexistentTenant"
