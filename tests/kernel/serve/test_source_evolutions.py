"""Temporal evolutions of which sources have a part (ETSI GS CIM 009 §5.7.3, §5.7.4), over real sockets."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from .test_sources import GAUGE, Source, listening, register, registration

TEMPORAL = "/ngsi-ld/v1/temporal/entities"
OPERATIONS = ["retrieveTemporal", "queryTemporal"]
AFTER = {"timerel": "after", "timeAt": "2026-05-01T00:00:00Z"}


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with listening(Source()) as made:
        yield made


def evolution(*rows: tuple[int, float], id_: str = GAUGE, **members: Any) -> dict[str, Any]:
    """Levels of a gauge by day of May 2026."""
    level = [
        {"type": "Property", "value": value, "observedAt": f"2026-05-{day:02}T00:00:00.000Z"}
        for day, value in rows
    ]
    return {"id": id_, "type": "Gauge", "level": level, **members}


async def kept(admin: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await admin.post(TEMPORAL, json=body)).status_code == 201


def values(body: dict[str, Any]) -> list[float]:
    level = body["level"]
    return [one["value"] for one in (level if isinstance(level, list) else [level])]


async def test_an_evolution_is_merged_from_here_and_there(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.7.3.4: of one moment one value; lastN is of all that there is."""
    await kept(admin, evolution((1, 10), (3, 30)))
    source.says("GET", f"/temporal/entities/{GAUGE}", 200, evolution((2, 20), (3, 33), (4, 40)))
    await register(admin, registration(source.url, operations=OPERATIONS))
    shown = await admin.get(f"{TEMPORAL}/{GAUGE}", params=AFTER)
    assert values(shown.json()) == [10, 20, 30, 40]
    sent = httpx.URL(source.asked[-1][1]).params
    assert {name: sent[name] for name in AFTER} == AFTER
    last = await admin.get(f"{TEMPORAL}/{GAUGE}", params={**AFTER, "lastN": "2"})
    assert sorted(values(last.json())) == [30, 40]
    alone = await admin.get(f"{TEMPORAL}/{GAUGE}", params={**AFTER, "local": "true"})
    assert values(alone.json()) == [10, 30]


async def test_an_evolution_that_only_a_source_has(admin: httpx.AsyncClient, source: Source) -> None:
    gone = {"type": "Property", "value": "urn:ngsi-ld:null", "deletedAt": "2026-05-09T00:00:00.000Z"}
    source.says("GET", f"/temporal/entities/{GAUGE}", 200, evolution((2, 20), flow=[gone]))
    await register(admin, registration(source.url, operations=OPERATIONS))
    shown = (await admin.get(f"{TEMPORAL}/{GAUGE}", params={**AFTER, "options": "sysAttrs"})).json()
    assert values(shown) == [20]
    flow = shown["flow"][0] if isinstance(shown["flow"], list) else shown["flow"]
    assert (flow["value"], flow["deletedAt"]) == (gone["value"], gone["deletedAt"])
    source.says("GET", f"/temporal/entities/{GAUGE}", 404)
    absent = await admin.get(f"{TEMPORAL}/{GAUGE}", params=AFTER)
    assert absent.status_code == 404
    assert "ngsild-warning" not in absent.headers


async def test_queries_see_the_evolutions_of_sources(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.7.4.4: conditions and aggregates are of the whole, pages are of all."""
    other = "urn:ngsi-ld:Gauge:tankeng"
    await kept(admin, evolution((1, 100)))
    there = [evolution((2, 300)), evolution((2, 5), id_=other, scope=["/Zhejiang"])]
    source.says("GET", "/temporal/entities", 200, there)
    await register(admin, registration(source.url, operations=OPERATIONS))

    async def found(**parameters: str) -> list[dict[str, Any]]:
        answer = await admin.get(TEMPORAL, params={"type": "Gauge", **AFTER, **parameters})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert [row["id"] for row in await found()] == [GAUGE, other]
    assert [row["id"] for row in await found(q="level>200")] == [GAUGE]
    assert [row["id"] for row in await found(scopeQ="/Zhejiang")] == [other]
    assert [row["id"] for row in await found(limit="1", offset="1")] == [other]
    aggregates = {"options": "aggregatedValues", "aggrMethods": "avg,totalCount,max"}
    (level, _) = (row["level"] for row in await found(**aggregates))
    assert [level[name][0][0] for name in ("avg", "totalCount", "max")] == [200, 2, 300]
    daily = await found(**aggregates, aggrPeriodDuration="P1D", id=GAUGE)
    assert [row[0] for row in daily[0]["level"]["avg"]] == [100, 300]
    body = {"type": "Query", "entities": [{"type": "Gauge"}], "temporalQ": AFTER}
    posted = await admin.post("/ngsi-ld/v1/temporal/entityOperations/query", json=body)
    assert [row["id"] for row in posted.json()] == [GAUGE, other]


async def test_only_sources_of_that_time_are_asked(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.2.9: a window outside the interval of a source is none of its business."""
    interval = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-02-01T00:00:00Z"}
    await register(admin, registration(source.url, operations=OPERATIONS, observationInterval=interval))
    source.says("GET", "/temporal/entities", 200, [evolution((2, 20))])
    assert (await admin.get(TEMPORAL, params={"type": "Gauge", **AFTER})).json() == []
    assert source.asked == []
    january = {"timerel": "between", "timeAt": "2026-01-10T00:00:00Z", "endTimeAt": "2026-01-20T00:00:00Z"}
    await admin.get(TEMPORAL, params={"type": "Gauge", **january})
    assert len(source.asked) == 1
