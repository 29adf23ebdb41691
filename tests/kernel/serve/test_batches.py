"""Batches over HTTP: entities that are alike go another way than the others, and nobody can tell."""

import copy
import json

import pytest
from httpx import AsyncClient

from .conftest import CORE, LD

OPERATIONS = "/ngsi-ld/v1/entityOperations"
AT = "2026-11-01T04:00:00Z"
Body = dict[str, object]


def meter(number: int, **more: object) -> Body:
    return {
        "id": f"urn:ngsi-ld:Meter:{number}",
        "type": "Meter",
        "power": {"type": "Property", "value": number / 10, "unitCode": "KWT", "observedAt": AT},
        "name": {"type": "Property", "value": f"meter {number}"},
        **more,
    }


def power(**more: object) -> Body:
    return {"type": "Property", "value": 1, "unitCode": "KWT", "observedAt": AT, **more}


async def stored(client: AsyncClient, id_: object) -> Body:
    answer = await client.get(f"/ngsi-ld/v1/entities/{id_}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_is_alike_is_stored_as_it_came(admin: AsyncClient) -> None:
    several = [meter(number) for number in range(12)]
    made = await admin.post(f"{OPERATIONS}/upsert", json=several)
    assert (made.status_code, made.json()) == (201, [body["id"] for body in several])
    assert [await stored(admin, body["id"]) for body in several] == several
    again = [meter(number, name={"type": "Property", "value": "new"}) for number in range(14)]
    changed = await admin.post(f"{OPERATIONS}/upsert", json=again)
    assert (changed.status_code, changed.json()) == (201, ["urn:ngsi-ld:Meter:12", "urn:ngsi-ld:Meter:13"])
    assert [await stored(admin, body["id"]) for body in again] == again
    refused = await admin.post(f"{OPERATIONS}/create", json=[*again, meter(14)])
    assert refused.status_code == 207
    assert refused.json()["success"] == ["urn:ngsi-ld:Meter:14"]
    assert {error["error"]["status"] for error in refused.json()["errors"]} == {409}


async def test_the_answer_names_them_in_the_order_of_the_request(admin: AsyncClient) -> None:
    several = [meter(number) for number in range(20, 40)]
    several[3]["more"] = 1
    several[9] = {"id": "urn:ngsi-ld:Meter:29", "type": "Meter"}
    made = await admin.post(f"{OPERATIONS}/create", json=several)
    assert (made.status_code, made.json()) == (201, [body["id"] for body in several])


BAD = {
    "unit": (power(unitCode="nonsense"), "unit.unknown"),
    "future": (power(observedAt="2099-01-01T00:00:00Z"), "time.future"),
    "null": (power(value="urn:ngsi-ld:null"), "attribute.null"),
    "time": (power(observedAt="yesterday"), "time.bad"),
}


@pytest.mark.parametrize("wrong", BAD)
async def test_one_that_is_wrong_keeps_no_other_out(admin: AsyncClient, wrong: str) -> None:
    attribute, key = BAD[wrong]
    several = [meter(number) for number in range(10)]
    several[4]["power"] = copy.deepcopy(attribute)
    answer = await admin.post(f"{OPERATIONS}/create", json=several)
    assert answer.status_code == 207
    assert answer.json()["success"] == [body["id"] for n, body in enumerate(several) if n != 4]
    (error,) = answer.json()["errors"]
    assert (error["entityId"], error["error"]["key"]) == (several[4]["id"], key)


async def test_of_an_entity_that_comes_twice_the_last_stays(admin: AsyncClient) -> None:
    several = [meter(number) for number in range(10)]
    several += [meter(3, name={"type": "Property", "value": "the last"})]
    made = await admin.post(f"{OPERATIONS}/upsert", json=several)
    assert made.status_code == 201
    assert await stored(admin, "urn:ngsi-ld:Meter:3") == several[-1]


async def test_each_is_read_in_its_own_context(admin: AsyncClient) -> None:
    own = {"power": "https://example.org/power"}
    several = [meter(number, **{"@context": CORE if number % 2 else [own, CORE]}) for number in range(20)]
    made = await admin.post(f"{OPERATIONS}/upsert", content=json.dumps(several), headers={"Content-Type": LD})
    assert made.status_code == 201
    assert "https://example.org/power" in await stored(admin, "urn:ngsi-ld:Meter:4")
    assert "power" in await stored(admin, "urn:ngsi-ld:Meter:5")


async def test_all_that_was_written_is_in_the_evolution_at_once(admin: AsyncClient) -> None:
    several = [meter(number) for number in range(10)]
    await admin.post(f"{OPERATIONS}/upsert", json=several)
    await admin.post(f"{OPERATIONS}/upsert", json=several)
    answer = await admin.get("/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Meter:7")
    assert len(answer.json()["power"]) == 2
