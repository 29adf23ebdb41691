"""The demo's flood as a duty office works it off: forecast, plan, response with tasks, all over HTTP.

A step that an earlier start has done is left out, so a story that broke off goes on where it was.
"""

import asyncio
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from yunmeng.converged.water.demo import PAST_H, province
from yunmeng.converged.water.exchange import read_waterml
from yunmeng.converged.water.register.arrays import listed
from yunmeng.converged.water.responses import RULE
from yunmeng.converged.water.synthetic import coming_rain
from yunmeng.kernel.base import Settings, format_us, make_urn, now_us
from yunmeng.kernel.model import VOCABULARY_CONTEXT

_HOUR_US = 3_600_000_000
_HOURS, _MEMBERS = 72, 30
_PACE_S, _PATIENCE_S = 1.0, 300.0
_TERMS = {"Link": f'<{VOCABULARY_CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"'}


async def tell(client: httpx.AsyncClient, settings: Settings) -> None:
    """Tells the story. Raises ``TimeoutError`` when the history of the basin does not come."""
    made, spell = await asyncio.to_thread(province, settings.demo.seed)
    codes = [made.ids[node] for node in listed(spell.reservoirs)]
    async with asyncio.timeout(_PATIENCE_S):
        await _history(client, make_urn("HydrologicalStation", codes[-1]))
        if not await _known(client, "DispatchPlan"):
            rain = coming_rain(spell, now_us(), _HOURS)
            await _forecast(client, [make_urn("Reservoir", code) for code in codes], rain.tolist())
            await _run(client, "water.dispatch", scenario=_words()["scenario"])
        if not await _get(client, "/api/events", rule=RULE):
            await _respond(client)


async def _history(client: httpx.AsyncClient, gauge: str) -> None:
    """Waits until the past of the basin is filled in."""
    asked = {"attribute": "rainfall1h", "start": format_us(now_us() - PAST_H * _HOUR_US)}
    while True:
        said = (await client.get(f"/api/water/series/{gauge}", params=asked)).raise_for_status()
        if sum(len(each.times) for each in read_waterml(said.content)) >= PAST_H - 1:
            return
        await asyncio.sleep(_PACE_S)


async def _forecast(client: httpx.AsyncClient, reservoirs: list[str], rain: list[float]) -> None:
    await _run(
        client,
        "water.forecast",
        reservoir=",".join(reservoirs),
        rain=", ".join(f"{each:.1f}" for each in rain),
        hours=str(_HOURS),
        members=str(_MEMBERS),
        warm_days=str(PAST_H // 24 - 1),
    )


async def _respond(client: httpx.AsyncClient) -> None:
    """Begins the response that is due, assigns it and gives its tasks."""
    words = _words()
    begun = (await client.post("/api/water/response")).raise_for_status().json()
    if begun["level"] is None:
        return
    event = f"/api/events/{begun['event']}"
    given = words["response"]
    step = {"stage": "assigned", "owner": given["owner"], "note": given["note"], "due": _due(given)}
    for path, body in (("steps", step), *(("tasks", {**each, "due": _due(each)}) for each in words["tasks"])):
        (await client.post(f"{event}/{path}", json=body)).raise_for_status()


async def _run(client: httpx.AsyncClient, job: str, **inputs: str) -> None:
    """Runs a job and waits for its end; what it says of a failure stands with the run."""
    said = (await client.post(f"/api/jobs/{job}", json={"inputs": inputs})).raise_for_status()
    run = said.json()["run"]
    while True:
        if (await _get(client, f"/api/jobs/runs/{run}"))["state"] not in ("queued", "running"):
            return
        await asyncio.sleep(_PACE_S)


async def _known(client: httpx.AsyncClient, type_: str) -> bool:
    asked = {"type": type_, "limit": "1"}
    said = await client.get("/ngsi-ld/v1/entities", params=asked, headers=_TERMS)
    return bool(said.raise_for_status().json())


async def _get(client: httpx.AsyncClient, path: str, **asked: str) -> Any:
    return (await client.get(path, params=asked)).raise_for_status().json()


def _due(row: Mapping[str, Any]) -> str:
    return (datetime.now(UTC) + timedelta(hours=row["due_h"])).isoformat()


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("story.toml").read_text(encoding="utf-8"))
