"""Order (ETSI GS CIM 009 §4.23): by values of all types, by distance, by language, in pages."""

from typing import Any

import pytest

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Order, OrderKey, Path, TypeIs
from yunmeng.kernel.store import Commit, EntityQuery, StateReader, StateWriter

from .entities import ALL, LEVEL, PLACE, PUMP, STATUS, ids, keep, observed, point, put, urn

SUB = "https://w3id.org/yunmeng/depth"


def by(*paths: Any, collation: str = "") -> Order:
    keys = (path if isinstance(path, OrderKey) else OrderKey(Path(path)) for path in paths)
    return Order(tuple(keys), collation)


def down(path: str) -> OrderKey:
    return OrderKey(Path(path), descending=True)


async def test_values_of_all_types_and_those_without_one(store: StateWriter, reader: StateReader) -> None:
    values: dict[str, Any] = {
        "n9": 9,
        "n10": 10,
        "t": "text",
        "o": {"a": 1},
        "a": [{"type": "Property", "value": [1]}],
        "b": True,
    }
    await keep(store, put(urn("none")), *(put(urn(name), {LEVEL: value}) for name, value in values.items()))
    order = ["n9", "n10", "t", "o", "a", "b"]
    assert await ids(reader, order=by(LEVEL)) == [*order, "none"]
    assert await ids(reader, order=by(down(LEVEL))) == [*reversed(order), "none"]


async def test_several_keys_members_and_sub_attributes(store: StateWriter, reader: StateReader) -> None:
    def deep(value: int, depth: int) -> list[dict[str, Any]]:
        return [{"type": "Property", "value": value, SUB: [{"type": "Property", "value": depth}]}]

    await keep(
        store,
        put(urn("a"), {LEVEL: deep(1, 3)}),
        put(urn("b"), {LEVEL: deep(1, 2)}, types=(PUMP,)),
        put(urn("c"), {LEVEL: deep(0, 1)}),
    )
    assert await ids(reader, order=by(LEVEL, down("id"))) == ["c", "b", "a"]
    assert await ids(reader, order=by(OrderKey(Path(LEVEL, (SUB,))))) == ["c", "b", "a"]
    assert await ids(reader, order=by("type", "id")) == ["a", "c", "b"]
    assert await ids(reader, order=by("createdAt", LEVEL)) == ["c", "a", "b"]
    assert await ids(reader, order=by("id"), types=TypeIs(PUMP)) == ["b"]


async def test_distance_from_a_place(store: StateWriter, reader: StateReader) -> None:
    places = {"far": (114.9, 30.5), "near": (114.31, 30.5), "mid": (114.5, 30.6)}
    await keep(
        store, put(urn("nowhere")), *(put(urn(name), {PLACE: point(*at)}) for name, at in places.items())
    )
    origin = {"type": "Point", "coordinates": [114.3, 30.5]}
    near, far = OrderKey(Path(PLACE), origin=origin), OrderKey(Path(PLACE), descending=True, origin=origin)
    assert await ids(reader, order=by(near)) == ["near", "mid", "far", "nowhere"]
    assert await ids(reader, order=by(far)) == ["far", "mid", "near", "nowhere"]


async def test_the_order_of_a_language(store: StateWriter, reader: StateReader) -> None:
    await keep(
        store, *(put(urn(name), {STATUS: word}) for name, word in (("1", "A"), ("2", "b"), ("3", "á")))
    )
    assert await ids(reader, order=by(STATUS)) == ["1", "2", "3"]
    assert await ids(reader, order=by(STATUS, collation="und")) == ["1", "3", "2"]


async def test_last_values_count(store: StateWriter, reader: StateReader) -> None:
    await keep(store, *(put(urn(number)) for number in range(3)))

    rows = [(urn(number), LEVEL, 10, float(-number)) for number in range(3)]
    await store.commit(Commit(observations=[observed(*rows)]))
    assert await ids(reader, order=by(LEVEL)) == ["2", "1", "0"]


async def test_pages_are_parts_of_one_order(store: StateWriter, reader: StateReader) -> None:
    most = 2_300
    await keep(store, *(put(urn(f"{n:05}"), {LEVEL: (n * 7919) % most}) for n in range(most)))
    whole = await ids(reader, order=by(LEVEL), limit=most)
    pages = [await ids(reader, order=by(LEVEL), limit=1000, offset=offset) for offset in (0, 1000, 2000)]
    assert (
        [one for page in pages for one in page]
        == whole
        == sorted(whole, key=lambda one: (int(one) * 7919) % most)
    )
    page = await reader.query(EntityQuery(ALL, order=by(LEVEL), limit=0, count=True))
    assert (len(page.documents), page.count) == (0, most)


async def test_too_many_are_refused(
    store: StateWriter, reader: StateReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yunmeng.kernel.store.state.ordering.ORDERED_MOST", 2)
    await keep(store, *(put(urn(number)) for number in range(3)))
    with pytest.raises(BadInput) as caught:
        await ids(reader, order=by("id"))
    assert caught.value.key == "query.order-wide"
