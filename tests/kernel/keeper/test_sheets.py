"""Entities that come in a sheet are stored, told and remembered as those that come one by one."""

import copy

import pytest
from tests.kernel.keeper.conftest import House
from tests.kernel.keeper.test_prepared import history, plain

from yunmeng.kernel.keeper import Sheet, sheet_of
from yunmeng.kernel.keeper.changes import instance_id, moment_of
from yunmeng.kernel.model import DIVISION, ContextLibrary, Create, Upsert, expand_entity, read_table
from yunmeng.kernel.store import TemporalQuery
from yunmeng.kernel.trust import Reach

CORE = ContextLibrary().core
AT = "2026-11-01T04:00:00Z"
OTHER = "urn:ngsi-ld:Dataset:other"
LEVEL = CORE.expand("level")
Body = dict[str, object]


def measured(value: object, **more: object) -> Body:
    return {"type": "Property", "value": value, "unitCode": "MTR", "observedAt": AT, **more}


def values(number: int) -> Body:
    """What one of several entities holds; no two hold the same."""
    return {
        "level": [measured(number + 0.5), measured(number, datasetId=OTHER)],
        "name": {"type": "Property", "value": f"水\x00\x01库 \n{number}"},
        "open": {"type": "Property", "value": number % 2 == 0},
        "mixed": {"type": "Property", "value": number if number % 2 else str(number)},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [110 + number, 30]}},
        "area": {
            "type": "GeoProperty",
            "value": {"type": "LineString", "coordinates": [[110 + number, 30], [111 + number, 31]]},
        },
        "river": {"type": "Relationship", "object": f"urn:ngsi-ld:River:{number}"},
        "deep": {"type": "Property", "value": {"b": [number], "a": {}}, "accuracy": measured(0.1)},
        "long": {"type": "Property", "value": "long" * (2000 if number == 3 else 1)},
    }


def bodies(kind: str, count: int = 4, **more: object) -> list[Body]:
    return [
        {"id": f"urn:ngsi-ld:{kind}:{n}", "type": ["Dam", "Place"], **values(n), **copy.deepcopy(more)}
        for n in range(count)
    ]


def sheet(several: list[Body], mode: str = "upsert") -> Sheet:
    table = read_table(copy.deepcopy(several), CORE)
    assert table is not None
    made = sheet_of(table, mode)
    assert made is not None
    return made


def one_by_one(several: list[Body], kind: type = Upsert) -> list[object]:
    return [kind(expand_entity(copy.deepcopy(body), CORE)) for body in several]


def renamed(several: list[Body], kind: str) -> list[Body]:
    return [{**body, "id": str(body["id"]).replace(":short:", f":{kind}:")} for body in several]


async def same(house: House, short: list[Body], long: list[Body]) -> None:
    for one, other in zip(short, long, strict=True):
        assert plain(await house.get(str(one["id"]))) == plain(await house.get(str(other["id"])))
        assert await history(house, str(one["id"])) == await history(house, str(other["id"]))


async def test_it_becomes_what_each_would_have_become(house: House) -> None:
    short = bodies("short")
    long = renamed(short, "long")
    made = await house.write(sheet(short))
    assert [(one.id, one.done) for one in made] == [(body["id"], "created") for body in short]
    await house.write(*one_by_one(long))
    await same(house, short, long)
    first = await house.get("urn:ngsi-ld:short:0")
    assert first is not None
    assert first["createdAt"] == first["modifiedAt"] == first[LEVEL][0]["createdAt"]


# what comes on top of what is there; the last three want the long way
SECOND = {
    "new values": {"level": [measured(9.5), measured(8, datasetId=OTHER)]},
    "another attribute": {"flow": measured(7)},
    "another dataset": {"level": [measured(1), measured(2, datasetId="urn:ngsi-ld:Dataset:third")]},
    "an attribute less": {"name": None},
    "another type": {"type": "Weir"},
}


@pytest.mark.parametrize("second", SECOND)
async def test_it_replaces_what_is_there_as_each_would_have_done(house: House, second: str) -> None:
    before = bodies("short")
    after = [
        {name: value for name, value in {**body, **SECOND[second]}.items() if value is not None}
        for body in [*before, *bodies("short", 6)[4:]]
    ]
    await house.write(sheet(before))
    done = await house.write(sheet(after))
    assert [one.done for one in done] == ["updated"] * 4 + ["created"] * 2
    await house.write(*one_by_one(renamed(before, "long")))
    await house.write(*one_by_one(renamed(after, "long")))
    await same(house, after, renamed(after, "long"))


async def test_one_that_exists_is_refused_and_the_others_are_made(house: House) -> None:
    several = bodies("made")
    await house.write(*one_by_one(several[1:2]))
    outcomes = await house.write(sheet(several, "create"))
    assert [one.error or one.done for one in outcomes] == ["created", "entity.exists", "created", "created"]
    replaced = await house.write(sheet(bodies("made", 5), "replace"))
    assert [one.error or one.done for one in replaced] == ["updated"] * 4 + ["entity.unknown"]


async def test_one_out_of_reach_is_refused_and_the_others_are_made(house: House) -> None:
    several = bodies("reach")
    for number, body in enumerate(several):
        body[DIVISION] = {"type": "Property", "value": "420500" if number == 2 else "420100"}
    wuhan = Reach(prefixes=("4201",))
    outcomes = await house.write(sheet(several), reach=wuhan)
    assert [one.error or one.done for one in outcomes] == [
        "created",
        "created",
        "keeper.out-of-reach",
        "created",
    ]
    assert await house.get("urn:ngsi-ld:reach:2") is None
    everywhere = await house.write(sheet(several))
    assert [one.done for one in everywhere] == ["updated", "updated", "created", "updated"]
    moved = bodies("reach")
    for body in moved:
        body[DIVISION] = {"type": "Property", "value": "420100"}
    outcomes = await house.write(sheet(moved), reach=wuhan)
    assert outcomes[2].error == "keeper.out-of-reach"


async def test_sheets_of_one_message_follow_each_other(house: House) -> None:
    several = bodies("twice")
    again = [{**body, "level": [measured(7), measured(8, datasetId=OTHER)]} for body in several]
    outcomes = await house.write(sheet(several), *one_by_one(several, Create), sheet(again))
    assert [one.error or one.done for one in outcomes] == (
        ["created"] * 4 + ["entity.exists"] * 4 + ["updated"] * 4
    )
    stored = await house.get("urn:ngsi-ld:twice:1")
    assert stored is not None
    assert [one["value"] for one in stored[LEVEL]] == [7, 8]
    assert stored["createdAt"] < stored["modifiedAt"]
    assert len(await history(house, "urn:ngsi-ld:twice:1")) == 20


async def test_its_instances_have_the_ids_that_a_replay_would_give_them(house: House) -> None:
    await house.write(sheet(bodies("ids")))
    await house.flush()
    stored = await house.get("urn:ngsi-ld:ids:1")
    assert stored is not None
    query = TemporalQuery(Reach(), ("urn:ngsi-ld:ids:1",), property="modifiedAt", limit=100)
    found = {point.instance_id for point in await house.history.points(query)}
    moment = moment_of("", "urn:ngsi-ld:ids:1", stored["modifiedAt"])
    assert found == {
        instance_id(moment, attribute, one.get("datasetId", ""))
        for attribute, instances in stored.items()
        if isinstance(instances, list) and ":" in attribute
        for one in instances
    }


@pytest.mark.parametrize("depth", [100, 300])
async def test_one_that_is_too_deep_to_be_looked_at_keeps_no_other_out(house: House, depth: int) -> None:
    several = bodies("deep")
    await house.write(sheet(several))
    deep: object = 1
    for _ in range(depth):
        deep = [deep]
    again = bodies("deep", more={"type": "Property", "value": 1})
    again[2]["more"] = {"type": "Property", "value": deep}
    table = read_table(again, CORE)
    assert table is not None
    made = sheet_of(table, "create")
    assert made is not None
    outcomes = await house.write(made, sheet(bodies("after")))
    assert {one.error for one in outcomes[:4]} <= {"entity.exists", "json.deep"}
    assert [one.done for one in outcomes[4:]] == ["created"] * 4
