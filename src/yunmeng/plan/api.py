"""The plan over HTTP: indicators with their latest values, systems, coverage, reporting."""

from typing import Any

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, format_us, now_us, packages, parse_instant
from yunmeng.kernel.model import NAMESPACE, SOURCE, Append, Document
from yunmeng.kernel.serve import Call, Route, as_object, json_reply, read_json, text_member, write_one
from yunmeng.kernel.store import EntityQuery
from yunmeng.plan.coverage import coverage
from yunmeng.plan.indicators import Indicator, indicator, indicators
from yunmeng.plan.systems import systems

LATEST = NAMESPACE + "latest"


async def list_indicators(call: Call) -> Response:
    """Lists the 99 indicators with baseline, target, quote and the latest reported value with its source."""
    ids = tuple(row.entity_id for row in indicators())
    page = await call.services.state.query(EntityQuery(call.reach, ids=ids, limit=len(ids)))
    entities = (msgspec.json.decode(body, type=Document) for body in page.documents)
    found = {entity["id"]: entity for entity in entities}
    return json_reply([_told(row, found.get(row.entity_id, {})) for row in indicators()])


async def list_systems(call: Call) -> Response:
    """Lists the 202 systems that the plan names, with section and quote."""
    return json_reply([row.as_dict() for row in systems()])


async def show_coverage(call: Call) -> Response:
    """Tells which package implements which system, and the test that proves it."""
    report = coverage(packages())
    return json_reply(
        {
            "implemented": report.implemented,
            "total": len(report.rows),
            "rows": [row.as_dict() for row in report.rows],
        }
    )


async def report_value(call: Call) -> Response:
    """Reports a value of an indicator: ``{"value": 4.2, "observedAt": "...", "source": "..."}``."""
    row = indicator(call.request.path_params["id"])
    body = as_object(await read_json(call.request), "body")
    instance = reported(body)
    await write_one(call, Append(row.entity_id, {LATEST: [instance]}))
    value = float(instance["value"])
    return json_reply(
        {"id": row.id, "value": value, "met": row.met(value), "progress": row.progress(value)}, 201
    )


def reported(body: dict[str, object]) -> dict[str, Any]:
    """Checks a report and returns the attribute instance that stores it.

    Raises:
        BadInput: ``plan.value`` when the value is no number, ``plan.source`` without a source,
            ``time.naive``, ``time.bad``, ``plan.future``.
    """
    value = body.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput("plan.value", value=value)
    source = text_member(body, "source", "").strip()
    if not source:
        raise BadInput("plan.source")
    observed_at = parse_instant(text_member(body, "observedAt", format_us(now_us())))
    if observed_at.timestamp() * 1e6 > now_us() + 60_000_000:
        raise BadInput("plan.future", at=observed_at.isoformat())
    return {
        "type": "Property",
        "value": value,
        "observedAt": format_us(round(observed_at.timestamp() * 1e6)),
        SOURCE: [{"type": "Property", "value": source}],
    }


def _told(row: Indicator, entity: Document) -> dict[str, object]:
    told = row.as_dict()
    told["entity"] = row.entity_id if entity else None
    for instance in entity.get(LATEST, ()):
        value = instance["value"]
        told["latest"] = value
        told["latest_at"] = instance.get("observedAt") or instance.get("modifiedAt")
        told["source"] = "; ".join(str(part["value"]) for part in instance.get(SOURCE, ()))
        told["met"] = row.met(value)
        told["progress"] = row.progress(value)
    return told


ROUTES = (
    Route("GET", "/api/plan/indicators", "plan.read", list_indicators, "Indicators with their latest values"),
    Route("POST", "/api/plan/indicators/{id}/values", "entity.write", report_value, "Report a value"),
    Route("GET", "/api/plan/systems", "plan.read", list_systems, "The systems that the plan names"),
    Route("GET", "/api/plan/coverage", "plan.read", show_coverage, "Which package implements which system"),
)
