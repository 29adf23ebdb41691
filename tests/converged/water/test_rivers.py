"""Who is upstream and downstream, told from the rivers around and from no others."""

from typing import Any

import httpx
from tests.kernel.serve.conftest import Node

ENTITIES = "/ngsi-ld/v1/entities"


def urn(name: str) -> str:
    return f"urn:ngsi-ld:River:{name}"


async def flow(node: Node, *reaches: str) -> None:
    """Makes rivers: ``"a b"`` is one that flows into b, ``"d"`` one that flows nowhere."""
    for reach in reaches:
        name, _, below = reach.partition(" ")
        body: dict[str, Any] = {"id": urn(name), "type": "River", "name": f"{name}河", "travelTime": 2.0}
        if below:
            body["flowsInto"] = {"type": "Relationship", "object": urn(below)}
        body["@context"] = node.services.types.context()["@context"]
        said = await node.admin.post(ENTITIES, json=body, headers={"content-type": "application/ld+json"})
        assert said.status_code == 201, said.text


async def told(office: httpx.AsyncClient, name: str, language: str = "en") -> Any:
    said = await office.get(f"/api/water/rivers/{urn(name)}", headers={"accept-language": language})
    assert said.status_code == 200, said.text
    return said.json()


def short(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {row["id"].rpartition(":")[2]: row["hours"] for row in rows}


async def test_who_is_above_and_below(water: Node, office: httpx.AsyncClient) -> None:
    await flow(water, "a c", "b c", "c d", "d", "e f", "f")
    found = await told(office, "c")
    assert short(found["upstream"]) == {"a": 2.0, "b": 2.0}
    assert short(found["downstream"]) == {"d": 2.0}
    assert short((await told(office, "d"))["upstream"]) == {"a": 4.0, "b": 4.0, "c": 2.0}
    assert "fault" not in found
    assert (await office.get(f"/api/water/rivers/{urn('none')}")).status_code == 404


async def test_a_circle_is_named_and_breaks_no_other_river(water: Node, office: httpx.AsyncClient) -> None:
    await flow(water, "x a", "a b", "b c", "c a", "s b", "e f", "f", "g away")
    found = await told(office, "x")
    assert short(found["downstream"]) == {"a": 2.0, "b": 4.0, "c": 6.0}
    assert found["fault"]["key"] == "river.cycle"
    assert found["fault"]["detail"] == "3 nodes follow one another: a河 → b河 → c河 → a河."
    assert "a河 → b河 → c河 → a河" in (await told(office, "x", "zh-CN"))["fault"]["detail"]
    assert (await told(office, "x", "zh-CN"))["fault"]["title"] != found["fault"]["title"]
    within = await told(office, "b")
    assert short(within["downstream"]) == {"c": 2.0, "a": 4.0}
    assert short(within["upstream"]) == {"s": 2.0}
    assert within["fault"]
    assert await told(office, "e") == {
        "id": urn("e"),
        "upstream": [],
        "downstream": [{"id": urn("f"), "hours": 2.0}],
    }
    assert (await told(office, "g"))["downstream"] == []
