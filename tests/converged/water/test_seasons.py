"""The flood limit in force follows the calendar of its reservoir."""

from datetime import datetime
from typing import Any

import pytest
from tests.kernel.serve.conftest import Node

from yunmeng.converged.water.seasons import follow_calendars
from yunmeng.kernel.base import SHANGHAI

ENTITIES = "/ngsi-ld/v1/entities"
CALENDAR = {
    "seasons": [
        {"name": "主汛期", "start": "06-21", "end": "08-20", "level": 160.0},
        {"name": "秋汛期", "start": "08-21", "end": "10-10", "level": 163.5},
    ],
    "outside": 170.0,
}
OVERLAP = {"seasons": [*CALENDAR["seasons"], {"name": "又", "start": "07-01", "end": "07-02", "level": 1.0}]}  # type: ignore[misc]


def at(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:30:00").replace(tzinfo=SHANGHAI).timestamp()) * 1_000_000


async def made(node: Node, code: str, **attributes: Any) -> str:
    id = f"urn:ngsi-ld:Reservoir:{code}"
    body = {
        "id": id,
        "type": "Reservoir",
        **attributes,
        "@context": node.services.types.context()["@context"],
    }
    said = await node.admin.post(ENTITIES, json=body, headers={"content-type": "application/ld+json"})
    assert said.status_code == 201, said.text
    return id


async def limit(node: Node, id: str) -> Any:
    found = (await node.admin.get(f"{ENTITIES}/{id}?options=keyValues")).json()
    return next((value for name, value in found.items() if name.endswith("floodLimitLevel")), None)


async def test_the_limit_in_force_is_the_calendars_of_the_day(
    water: Node, caplog: pytest.LogCaptureFixture
) -> None:
    level = {"type": "Property", "value": 160.0, "unitCode": "MTR"}
    calendar = await made(
        water, "c", floodLimits={"type": "JsonProperty", "json": CALENDAR}, floodLimitLevel=level
    )
    bare = await made(water, "b", floodLimits={"type": "JsonProperty", "json": CALENDAR})
    plain = await made(water, "p", floodLimitLevel=level)
    broken = await made(
        water, "x", floodLimits={"type": "JsonProperty", "json": OVERLAP}, floodLimitLevel=level
    )
    for number, odd in enumerate(([1, 2], {"seasons": 5}, {**CALENDAR, "transitionDays": "7"})):
        await made(water, f"y{number}", floodLimits={"type": "JsonProperty", "json": odd})
    for day, changed, expected in (
        ("2026-06-20", (bare, calendar), 170.0),
        ("2026-06-21", (bare, calendar), 160.0),
        ("2026-08-20", (), 160.0),
        ("2026-08-21", (bare, calendar), 163.5),
        ("2026-10-11", (bare, calendar), 170.0),
    ):
        assert tuple(await follow_calendars(water.services, at(day))) == changed, day
        assert await limit(water, calendar) == await limit(water, bare) == expected, day
    assert await limit(water, plain) == await limit(water, broken) == 160.0
    assert broken in caplog.text
