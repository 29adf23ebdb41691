"""Entities that come prepared are stored, told and remembered as those that do not."""

import pytest
from tests.kernel.keeper.conftest import RESERVOIR, House

from yunmeng.kernel.keeper import Prepared, prepared
from yunmeng.kernel.model import DIVISION, Create, Document, Replace, Upsert
from yunmeng.kernel.store import TemporalQuery
from yunmeng.kernel.trust import Reach

AT = "2026-11-01T04:00:00Z"
X = "https://example.org/"
_TIMES = ("createdAt", "modifiedAt")


def entity(name: str, /, **attributes: object) -> Document:
    document: Document = {"id": f"urn:ngsi-ld:Reservoir:{name}", "type": [RESERVOIR]}
    for key, value in attributes.items():
        instances = value if isinstance(value, list) else [value]
        document[X + key] = [
            one if isinstance(one, dict) else {"type": "Property", "value": one} for one in instances
        ]
    return document


def dated(value: object, **more: str) -> Document:
    return {"type": "Property", "value": value, "unitCode": "MTR", "observedAt": AT, **more}


FIRST = {
    "level": [dated(1.5), dated(2, datasetId="urn:ngsi-ld:d:1")],
    "name": "水\x00\x01库",
    "open": True,
    "place": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [114.3, 30.6]}},
    "river": {"type": "Relationship", "object": "urn:ngsi-ld:River:1", X + "since": [dated(3)]},
}
SECOND = {
    "new values": {**FIRST, "level": [dated(9.5), dated(8, datasetId="urn:ngsi-ld:d:1")]},
    "another attribute": {**FIRST, "flow": dated(7)},
    "an attribute less": {"level": FIRST["level"], "name": "other"},
    "a dataset less": {**FIRST, "level": dated(4)},
    "a scope": {**FIRST},
}


def plain(document: Document | None, *, kept: bool = False) -> object:
    """Leaves out what two entities cannot share: the id, and moments (but which of them are the first)."""
    assert document is not None

    def walk(value: object) -> object:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        own = [("observedAt", value.get("createdAt"))]  # a scope is observed when it is set
        left = {k: walk(v) for k, v in value.items() if k not in (*_TIMES, "id") and (k, v) not in own}
        return {**left, "kept": value["createdAt"] != value["modifiedAt"]} if "createdAt" in value else left

    return walk(document)


async def history(house: House, id: str) -> list[tuple[object, ...]]:
    await house.flush()
    found = await house.history.points(TemporalQuery(Reach(), (id,), property="modifiedAt", limit=5000))
    rows = [
        (p.attribute, p.dataset_id, p.value, p.text, p.unit, plain(p.body) if p.body else None) for p in found
    ]
    assert len({p.instance_id for p in found}) == len(found)
    return sorted(rows, key=repr)


@pytest.mark.parametrize("second", SECOND)
async def test_it_becomes_what_it_would_have_become(house: House, second: str) -> None:
    pairs = [(f"short-{second}", prepared), (f"long-{second}", lambda operation: operation)]
    for name, way in pairs:
        for attributes in (FIRST, SECOND[second]):
            document = entity(name.replace(" ", "_"), **attributes)
            if second == "a scope" and attributes is not FIRST:
                document["scope"] = ["/a"]
            (outcome,) = await house.write(way(Upsert(document)))
            assert outcome.done == ("created" if attributes is FIRST else "updated")
    short, long = (entity(name.replace(" ", "_"))["id"] for name, _ in pairs)
    assert plain(await house.get(short)) == plain(await house.get(long))
    assert await history(house, short) == await history(house, long)


async def test_what_is_there_decides_what_may_be_done(house: House) -> None:
    document = entity("whether", level=1)
    (absent,) = await house.write(prepared(Replace(document)))
    (made,) = await house.write(prepared(Create(document)))
    (exists,) = await house.write(prepared(Create(document)))
    (replaced,) = await house.write(prepared(Replace(document)))
    assert [one.error or one.done for one in (absent, made, exists, replaced)] == [
        "entity.unknown",
        "created",
        "entity.exists",
        "updated",
    ]


async def test_nothing_is_written_out_of_reach(house: House) -> None:
    document = entity("reach", level=1) | {DIVISION: [{"type": "Property", "value": "420100"}]}
    wuhan, yichang = Reach(prefixes=("4201",)), Reach(prefixes=("4205",))
    (refused,) = await house.write(prepared(Upsert(document)), reach=yichang)
    (made,) = await house.write(prepared(Upsert(document)), reach=wuhan)
    (other,) = await house.write(prepared(Upsert(document)), reach=yichang)
    assert (refused.error, made.done, other.error) == (
        "keeper.out-of-reach",
        "created",
        "keeper.out-of-reach",
    )


async def test_several_of_one_entity_in_one_request_follow_each_other(house: House) -> None:
    one, two = entity("twice", level=1), entity("twice", level=2, more=3)
    outcomes = await house.write(prepared(Create(one)), prepared(Create(one)), prepared(Upsert(two)))
    assert [outcome.error or outcome.done for outcome in outcomes] == ["created", "entity.exists", "updated"]
    stored = await house.get(one["id"])
    assert stored is not None
    assert [stored[X + name][0]["value"] for name in ("level", "more")] == [2, 3]
    levels = [row[2] for row in await history(house, one["id"]) if row[0] == X + "level"]
    assert sorted(levels, key=repr) == [1.0, 2.0]


@pytest.mark.parametrize(
    "document",
    [
        entity("late", level=dated(1, expiresAt="2030-01-01T00:00:00Z")),
        entity("end", level=1) | {"expiresAt": "2030-01-01T00:00:00Z"},
        entity("scoped", level=1) | {"scope": ["/a"]},
        entity("huge", level=10**400),
    ],
)
def test_what_is_rare_takes_the_long_way(document: Document) -> None:
    operation = Create(document)
    assert prepared(operation) is operation


def test_it_can_be_read_as_what_it_was() -> None:
    operation = Upsert(entity("back", **FIRST))
    found = prepared(operation)
    assert isinstance(found, Prepared)
    assert found.plain() == operation
