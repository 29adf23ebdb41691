"""What comes side by side is done together, and nobody is the worse for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from yunmeng.kernel.serve import NGSI_LD_ROUTES, create_app
from yunmeng.kernel.serve.gathering import Gathering
from yunmeng.kernel.serve.ngsild import sheets

from .conftest import Node, browser

ENTITIES = "/ngsi-ld/v1/entities"


async def test_many_go_together_and_few_alone() -> None:
    calls: list[list[int]] = []

    async def double(items: Sequence[int]) -> list[int | None]:
        calls.append(list(items))
        return [2 * item if item else None for item in items]

    gathering = Gathering(3)
    assert await asyncio.gather(*(gathering.join("a", n, double) for n in range(4))) == [None, 2, 4, 6]
    assert await asyncio.gather(*(gathering.join("a", n, double) for n in range(2))) == [None, None]
    both = [gathering.join(key, n, double) for n in range(3) for key in "ab"]
    assert await asyncio.gather(*both) == [None, None, 2, 2, 4, 4]
    assert calls == [[0, 1, 2, 3], [0, 1, 2], [0, 1, 2]]


async def test_a_failure_is_everybodys_and_who_leaves_is_not_waited_for() -> None:
    async def fail(items: Sequence[int]) -> list[int | None]:
        await asyncio.sleep(0.01)
        raise ValueError(len(items))

    gathering = Gathering(2)
    tasks = [asyncio.create_task(gathering.join("a", n, fail)) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError, ValueError, ValueError]


@pytest.fixture
async def anybody(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    """A client that need not sign in, so that nothing stands between what it asks at once."""
    trust = replace(node.settings.trust, sign_in=False)
    services = replace(node.services, settings=replace(node.settings, trust=trust))
    app = create_app(services, NGSI_LD_ROUTES)
    async with browser(app) as client:
        yield client
    await app.desk.sources.close()


def meter(number: int, **members: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Meter:{number}",
        "type": "Meter",
        "level": {"type": "Property", "value": number},
        **members,
    }


async def create(client: httpx.AsyncClient, bodies: Sequence[Any], **headers: str) -> list[httpx.Response]:
    return list(await asyncio.gather(*(client.post(ENTITIES, json=body, headers=headers) for body in bodies)))


async def test_creations_side_by_side_are_as_one_after_the_other(anybody: httpx.AsyncClient) -> None:
    # the first request of all loads what later ones find
    assert (await anybody.get(f"{ENTITIES}?type=Meter")).json() == []
    made = await create(anybody, [meter(n) for n in range(40)])
    assert [one.status_code for one in made] == [201] * 40
    assert made[7].headers["location"] == f"{ENTITIES}/urn:ngsi-ld:Meter:7"
    alone = await anybody.post(ENTITIES, json=meter(40))
    assert alone.status_code == 201
    rows = (await anybody.get(f"{ENTITIES}?type=Meter&options=sysAttrs&limit=100")).json()
    assert len(rows) == 41
    assert len({row["createdAt"] for row in rows}) == 2
    assert [set(row) for row in rows] == [{"id", "type", "level", "createdAt", "modifiedAt"}] * 41
    past = (await anybody.get(f"/ngsi-ld/v1/temporal/entities/{rows[5]['id']}")).json()
    assert [one["value"] for one in past["level"]] == [rows[5]["level"]["value"]]


async def test_each_creation_has_its_own_answer(anybody: httpx.AsyncClient) -> None:
    await anybody.post(ENTITIES, json=meter(3))
    bodies: list[Any] = [meter(n) for n in range(30)]
    bodies += [meter(100, level={"value": 1, "unitCode": "nope"}), meter(101, level={"no": "value"}), []]
    made = await create(anybody, bodies)
    codes = [one.status_code for one in made]
    assert codes[3] == 409
    assert made[3].json()["key"] == "entity.exists"
    assert codes[:3] + codes[4:30] == [201] * 29
    assert codes[30:] == [400, 400, 400]


async def test_what_is_too_much_together_goes_alone(
    anybody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "LARGEST_MESSAGE", 500)
    assert (await anybody.get(f"{ENTITIES}?type=Meter")).json() == []
    made = await create(anybody, [meter(n) for n in range(20)])
    assert [one.status_code for one in made] == [201] * 20
    rows = (await anybody.get(f"{ENTITIES}?type=Meter&options=sysAttrs")).json()
    assert len({row["createdAt"] for row in rows}) == 20


async def test_of_two_with_one_id_one_is_made(anybody: httpx.AsyncClient) -> None:
    made = await create(anybody, [meter(n % 10) for n in range(20)])
    assert sorted(one.status_code for one in made) == [201] * 10 + [409] * 10


@pytest.mark.parametrize("tenant", ["", "there"])
async def test_tenants_and_contexts_do_not_mix(anybody: httpx.AsyncClient, tenant: str) -> None:
    here, there = [meter(n) for n in range(10)], [meter(n) for n in range(10, 20)]
    linked = [
        anybody.post(
            ENTITIES,
            json={**body, "@context": [{"Meter": "urn:x:Meter", "level": "urn:x:level"}]},
            headers={"Content-Type": "application/ld+json"},
        )
        for body in [meter(n) for n in range(20, 30)]
    ]
    headers = {"NGSILD-Tenant": tenant} if tenant else {}
    made = await asyncio.gather(create(anybody, here), create(anybody, there, **headers), *linked)
    flat = [*made[0], *made[1], *made[2:]]
    assert {one.status_code for one in flat} == {201}
    mine = await anybody.get(f"{ENTITIES}?type=Meter&options=keyValues&limit=100")
    assert len(mine.json()) == (10 if tenant else 20)
    theirs = await anybody.get(f"{ENTITIES}?type=urn:x:Meter&limit=100")
    assert len(theirs.json()) == 10
    assert set(theirs.json()[0]) == {"id", "type", "urn:x:level"}
