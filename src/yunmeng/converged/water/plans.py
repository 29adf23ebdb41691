"""The life of a dispatch plan: drafted by the job, approved by a person, issued as tasks, ended."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from yunmeng.converged.water.entities import json_of
from yunmeng.kernel.base import BadInput, format_us, make_urn

_NEXT = {"draft": "approved", "approved": "issued", "issued": "ended"}


def step(plan: Mapping[str, Any], to: str, at: int, by: str) -> list[dict[str, Any]]:
    """Returns the change of a plan (simplified form) to its next state, and its orders as tasks once issued.

    Raises:
        BadInput: ``water.plan-step``.
    """
    state = str(plan.get("planState", "draft"))
    if _NEXT.get(state) != to:
        raise BadInput("water.plan-step", state=state, to=to)
    change: dict[str, Any] = {"id": plan["id"], "type": "DispatchPlan", "planState": to}
    if to == "approved":
        change["approvedBy"] = by
    if to == "issued":
        change["issuedAt"] = {"value": {"@type": "DateTime", "@value": format_us(at)}}
    orders: list[dict[str, Any]] = (json_of(plan, "orders") or []) if to == "issued" else []
    return [change, *(_task(plan, order) for order in orders)]


def _task(plan: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    own = sha256(f"{plan['id']} {order['reservoir']} {order['from']}".encode()).hexdigest()[:16]
    body: dict[str, Any] = {
        "id": make_urn("Task", own),
        "type": "Task",
        "title": str(order["text"]),
        "assignee": str(order.get("manager") or order["reservoir"]),
        "taskState": "open",
        "division": order.get("division") or plan.get("division"),
        "dueAt": {"value": {"@type": "DateTime", "@value": order["from"]}},
        "partOfPlan": {"object": plan["id"]},
        "synthetic": plan.get("synthetic"),
    }
    return {name: value for name, value in body.items() if value}
