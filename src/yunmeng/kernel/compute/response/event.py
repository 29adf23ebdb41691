"""An event 事件: what an alert asks of people, from received to scored; pure, so that each step is checked.

The plan's loop 监测—预警—通报—处置 ends only when somebody has verified and scored the handling (DESIGN §5)::

    received ─► assigned ─► handled ─► verified ─► scored
                   ▲                      │ not accepted
                   └──────────────────────┘
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec

from yunmeng.kernel.base import BadInput, format_us, instant_us, make_urn
from yunmeng.kernel.compute.response.alert import Grade, check_grade, micros, moment, words

Stage = Literal["received", "assigned", "handled", "verified", "scored"]
TaskState = Literal["open", "done", "refused"]

_NEXT: Mapping[Stage, tuple[Stage, ...]] = {
    "received": ("assigned",),
    "assigned": ("assigned", "handled"),
    "handled": ("verified", "assigned"),
    "verified": ("scored",),
    "scored": (),
}
OPEN_STAGES: tuple[Stage, ...] = ("received", "assigned", "handled")
"""The stages at which new alerts of the same kind and place still join an event."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step in the life of an event: who led it where, when, and what they said."""

    stage: Stage
    at: str
    by: str
    note: str = ""
    owner: str = ""
    due: str = ""
    score: int | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event; ``place`` and ``rule`` say which later alerts belong to it. Times are microseconds UTC."""

    id: str
    headline: dict[str, str]
    grade: Grade
    division: str
    opened_at: int
    rule: str = ""
    place: str = ""
    stage: Stage = "received"
    owner: str = ""
    due_at: int = 0
    closed_at: int = 0
    overdue: bool = False
    score: int | None = None
    steps: tuple[Step, ...] = ()
    synthetic: bool = False


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that somebody does for an event."""

    id: str
    event: str
    title: str
    assignee: str
    division: str
    due_at: int = 0
    state: TaskState = "open"
    result: str = ""
    synthetic: bool = False


def advance(event: Event, step: Step) -> Event:
    """Returns the event after a step.

    Assigning needs an ``owner`` (a deadline too, unless it has one), scoring a ``score`` of 0 to 100; an
    event goes back from handled to assigned when whoever verifies does not accept it; then a note says why.

    Raises:
        BadInput: ``event.step`` naming the stages that are possible, ``event.lacks`` naming what is missing.
    """
    if step.stage not in _NEXT[event.stage]:
        allowed = ", ".join(_NEXT[event.stage]) or "-"
        raise BadInput("event.step", stage=event.stage, to=step.stage, allowed=allowed)
    due = instant_us(step.due) if step.due else event.due_at
    owner = step.owner or event.owner
    _require(step, owner, due, back=event.stage == "handled")
    return msgspec.structs.replace(
        event,
        stage=step.stage,
        owner=owner,
        due_at=due,
        overdue=event.overdue and step.stage == "assigned" and not step.due,
        closed_at=instant_us(step.at) if step.stage == "scored" else event.closed_at,
        score=step.score if step.stage == "scored" else event.score,
        steps=(*event.steps, step),
    )


def is_late(event: Event, now: int) -> bool:
    """Tells whether an event's deadline has passed before it was handled."""
    return event.stage in ("received", "assigned") and 0 < event.due_at < now


def _require(step: Step, owner: str, due: int, *, back: bool) -> None:
    if step.stage == "assigned" and not owner:
        raise BadInput("event.lacks", stage=step.stage, name="owner")
    if step.stage == "assigned" and not due:
        raise BadInput("event.lacks", stage=step.stage, name="due")
    if step.stage == "assigned" and back and not step.note:
        raise BadInput("event.lacks", stage=step.stage, name="note")
    if step.stage == "handled" and not step.note:
        raise BadInput("event.lacks", stage=step.stage, name="note")
    if step.stage == "scored" and (step.score is None or not 0 <= step.score <= 100):
        raise BadInput("event.lacks", stage=step.stage, name="score (0–100)")


def event_id(rule: str, place: str, opened_at: int) -> str:
    """Returns the id of an event that a rule opens."""
    return make_urn("Event", rule, place.rpartition(":")[2] or place, str(opened_at // 1000))


def to_entity(event: Event) -> dict[str, Any]:
    """Returns the event as an NGSI-LD entity in concise form."""
    members: dict[str, Any] = {
        "id": event.id,
        "type": "Event",
        "division": event.division,
        "headline": {"languageMap": event.headline},
        "responseLevel": event.grade,
        "stage": event.stage,
        "rule": event.rule or None,
        "place": event.place or None,
        "owner": event.owner or None,
        "openedAt": moment(event.opened_at),
        "dueAt": moment(event.due_at) if event.due_at else None,
        "closedAt": moment(event.closed_at) if event.closed_at else None,
        "overdue": event.overdue,
        "score": event.score,
        "steps": {"json": msgspec.to_builtins(list(event.steps))} if event.steps else None,
        "synthetic": True if event.synthetic else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def from_entity(entity: Mapping[str, Any]) -> Event:
    """Returns the event that an entity in simplified form holds."""
    steps = entity.get("steps", ())
    if isinstance(steps, dict):
        steps = cast("dict[str, Any]", steps).get("json", ())
    return Event(
        id=entity["id"],
        headline=words(entity["headline"]),
        grade=check_grade(entity["responseLevel"]),
        division=entity.get("division", ""),
        opened_at=micros(entity.get("openedAt")),
        rule=entity.get("rule", ""),
        place=entity.get("place", ""),
        stage=entity.get("stage", "received"),
        owner=entity.get("owner", ""),
        due_at=micros(entity.get("dueAt")),
        closed_at=micros(entity.get("closedAt")),
        overdue=bool(entity.get("overdue", False)),
        score=entity.get("score"),
        steps=msgspec.convert(steps, tuple[Step, ...]),
        synthetic=bool(entity.get("synthetic", False)),
    )


def task_entity(task: Task) -> dict[str, Any]:
    """Returns a task as an NGSI-LD entity in concise form."""
    members: dict[str, Any] = {
        "id": task.id,
        "type": "Task",
        "division": task.division,
        "title": task.title,
        "assignee": task.assignee,
        "taskState": task.state,
        "partOfEvent": {"object": task.event},
        "dueAt": moment(task.due_at) if task.due_at else None,
        "result": task.result or None,
        "synthetic": True if task.synthetic else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def step_now(stage: Stage, at: int, by: str, note: str = "", **more: Any) -> Step:
    """Returns a step that happens at ``at`` (µs UTC)."""
    return Step(stage, format_us(at), by, note, **more)
