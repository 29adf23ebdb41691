"""Emergency responses 应急响应 as events: one is open in a division at a time, and its level only rises."""

from collections.abc import Mapping, Sequence
from typing import Any

from yunmeng.kernel.base import make_urn
from yunmeng.kernel.compute import OPEN_STAGES, Event, Grade, check_grade, event_entity, graver

RULE = "water.response"


def open_one(begun: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Returns the response that is open among those that were begun in a division."""
    return next((each for each in begun if each.get("stage") in OPEN_STAGES), None)


def opened(
    division: str, due: Mapping[str, Any], at: int, begun: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns the event of a response that is due (``level``, ``reasons``, ``synthetic``).

    Whoever else opens it at the same moment gives it the same id, so that one of the two is refused.
    """
    event = Event(
        id=make_urn("Event", RULE, division, str(_number(begun) + 1)),
        headline=_headline(due["level"]),
        grade=due["level"],
        division=division,
        opened_at=at,
        rule=RULE,
        place=division,
        synthetic=due["synthetic"],
    )
    return {**event_entity(event), "reasons": {"json": due["reasons"]}}


def raised(open_: Mapping[str, Any], due: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the change of an open response to the level that is due: people lower it, not the table."""
    grade = graver(due["level"], check_grade(open_["responseLevel"]))
    return {
        "id": open_["id"],
        "type": "Event",
        "headline": {"languageMap": _headline(grade)},
        "responseLevel": grade,
        "reasons": {"json": due["reasons"]},
    }


def _headline(grade: Grade) -> dict[str, str]:
    return {"zh-CN": f"防汛{grade}级应急响应", "en": f"Flood-control emergency response {grade}"}


def _number(begun: Sequence[Mapping[str, Any]]) -> int:
    endings = (str(each["id"]).rpartition(":")[2] for each in begun)
    return max((int(ending) for ending in endings if ending.isdecimal()), default=0)
