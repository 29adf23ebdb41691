"""What notifications tell: instances that go, entities that go, linked entities (ETSI GS CIM 009 §5.8.6)."""

from typing import Any

import pytest

from yunmeng.kernel.model import Change, ContextLibrary
from yunmeng.kernel.serve.matching import notification, tell, triggered
from yunmeng.kernel.serve.watching import Kept, Watch, settled, work_out
from yunmeng.kernel.trust import Principal

from .test_subscriptions import ENTITIES, notifying, receiver, subscribe

AT, LATER = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"
LEVEL, NAME = (f"https://uri.etsi.org/ngsi-ld/default-context/{name}" for name in ("level", "name"))
ID, TYPES = "urn:ngsi-ld:T:1", ("https://uri.etsi.org/ngsi-ld/default-context/T",)
BARE = {"id": ID, "type": list(TYPES), "createdAt": AT, "modifiedAt": AT}
NULL = "urn:ngsi-ld:null"


async def watch(notified: dict[str, Any] | None = None, **more: Any) -> Watch:
    endpoint = {"uri": "http://127.0.0.1:9/"}
    body = {
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {"endpoint": endpoint, **(notified or {})},
        **more,
    }
    return await work_out(Kept("urn:ngsi-ld:S:1", body, None, Principal("p"), AT, AT), "", ContextLibrary())


def instance(value: object, dataset: str = "", at: str = AT) -> dict[str, Any]:
    named = {"datasetId": f"urn:d:{dataset}"} if dataset else {}
    return {"type": "Property", "value": value, **named, "createdAt": AT, "modifiedAt": at}


def changed(before: dict[str, Any], after: dict[str, Any], kind: str = "updated") -> Change:
    touched = tuple(uri for uri in (LEVEL, NAME) if kind == "deleted" or before.get(uri) != after.get(uri))
    return Change("", ID, TYPES, "", LATER, kind, touched, after, before)  # type: ignore[arg-type]


TWO = {**BARE, LEVEL: [instance(1), instance(2, "b")]}
ONE = {**BARE, LEVEL: [instance(1)]}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (TWO, ONE, {"attributeDeleted", "entityUpdated"}),
        (ONE, TWO, {"attributeCreated", "entityUpdated"}),
        (ONE, {**BARE, LEVEL: [instance(5, at=LATER)]}, {"attributeUpdated", "entityUpdated"}),
        (
            {**BARE, LEVEL: [instance(1), instance(2, "b")]},
            {**BARE, LEVEL: [instance(5, at=LATER)]},
            {"attributeUpdated", "attributeDeleted", "entityUpdated"},
        ),
        (ONE, BARE, {"attributeDeleted", "entityUpdated"}),
    ],
)
async def test_each_instance_has_its_own_fate(before: Any, after: Any, kinds: set[str]) -> None:
    every = ("entityCreated", "entityUpdated", "entityDeleted")
    every += ("attributeCreated", "attributeUpdated", "attributeDeleted")
    hit = {one for one in every if triggered(await watch(notificationTrigger=[one]), changed(before, after))}
    assert hit == kinds


async def test_an_instance_that_goes_is_told_beside_those_that_stay() -> None:
    row = tell(await watch(), ONE, (), changed(TWO, ONE))
    assert row["level"] == [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": NULL, "datasetId": "urn:d:b"},
    ]
    simple = tell(await watch({"format": "keyValues"}), ONE, (), changed(TWO, ONE))
    assert simple["level"] == {"dataset": {"@none": 1, "urn:d:b": NULL}}


async def test_one_null_tells_of_all_instances() -> None:
    assert tell(await watch(), BARE, (), changed(TWO, BARE))["level"] == {"type": "Property", "value": NULL}
    times = tell(await watch({"sysAttrs": True}), BARE, (), changed(ONE, BARE))["level"]
    assert times == {"type": "Property", "value": NULL, "createdAt": AT, "modifiedAt": AT, "deletedAt": LATER}


async def test_a_deleted_entity_is_told_as_far_as_it_is_watched() -> None:
    gone = changed({**ONE, NAME: [instance("n")]}, {}, "deleted")
    head = {"id": ID, "type": "T", "deletedAt": LATER}
    assert tell(await watch(notificationTrigger=["entityDeleted"]), {}, (), gone) == head
    watched = await watch(notificationTrigger=["attributeDeleted"], watchedAttributes=["name"])
    assert tell(watched, {}, (), gone) == {**head, "name": {"type": "Property", "value": NULL}}
    times = await watch({"sysAttrs": True}, notificationTrigger=["entityDeleted"])
    assert tell(times, {}, (), gone) == {**head, "createdAt": AT, "modifiedAt": AT}
    assert "level" not in tell(await watch({"showChanges": True}), {}, {LEVEL}, gone)


async def test_linked_data_names_its_context_in_each_entity() -> None:
    endpoint = {"uri": "http://127.0.0.1:9/", "accept": "application/ld+json"}
    watching = await watch({"endpoint": endpoint})
    body = notification(watching, [{"id": ID}])
    assert body["@context"] == body["data"][0]["@context"] == watching.context.member


async def test_what_is_not_the_owners_to_say_is_left_out() -> None:
    body = {"status": "expired", "odd": 1, "notification": {"timesSent": 42, "format": "concise"}}
    assert settled(body) == {"notification": {"format": "concise"}}
    assert settled({"temporalQ": {}}, "temporalQ") == {"temporalQ": {}}


async def test_queries_may_be_encoded_as_in_a_url() -> None:
    assert (await watch(q='name=="a%20b"')).condition == (await watch(q='name=="a b"')).condition


DAM, LAKE = "urn:ngsi-ld:Dam:1", "urn:ngsi-ld:Lake:1"


async def fill(node: Any, level: float) -> None:
    lake = {"id": LAKE, "type": "Lake", "level": {"value": level}}
    dam = {"id": DAM, "type": "Station", "holds": {"type": "Relationship", "object": LAKE}}
    for body in (lake, dam):
        assert (await node.admin.post(ENTITIES, json=body)).status_code == 201


@pytest.mark.parametrize(
    ("join", "shown"),
    [
        ("flat", [{"id": DAM, "type": "Station", "holds": LAKE}, {"id": LAKE, "type": "Lake", "level": 3}]),
        ("inline", [{"id": DAM, "type": "Station", "holds": {"id": LAKE, "type": "Lake", "level": 3}}]),
        ("@none", [{"id": DAM, "type": "Station", "holds": LAKE}]),
    ],
)
async def test_linked_entities_are_told_along(node: Any, join: str, shown: list[Any]) -> None:
    async with notifying(node), receiver() as eager:
        told = {"endpoint": {"uri": eager.url}, "format": "keyValues", "join": join}
        await subscribe(node, eager.url, notification=told)
        await fill(node, 3)
        await eager.expect(1)
        assert eager.rows == shown


async def test_a_condition_may_be_about_linked_entities(node: Any) -> None:
    async with notifying(node), receiver() as low, receiver() as high:
        await subscribe(node, high.url, q="holds{level}>10")
        await subscribe(node, low.url, q="holds{level}<10")
        await fill(node, 3)
        await low.expect(1)
        assert [row["id"] for row in low.rows] == [DAM]
        assert not high.got
