"""How attributes evolved: values with their times, and aggregates over periods (ETSI GS CIM 009 §4.5.6)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import httpx

from yunmeng.client.asks import Method, chosen, listed, quoted
from yunmeng.client.wire import Ask, decoded
from yunmeng.kernel.base import parse_instant

Evolution = dict[str, list[tuple[Any, datetime]]]
"""Attribute to values, each with when it was observed (UTC), oldest first."""

Aggregates = dict[str, dict[str, list[tuple[Any, datetime, datetime]]]]
"""Attribute to method to values, each with the beginning and the end of its period (UTC)."""

Moment = datetime | str

_RANGE = re.compile(r"date-time (\S+?Z)-(\S+?Z)/")
_LISTS = ("values", "objects", "languageMaps", "vocabs", "jsons", "valueLists", "objectLists")


@dataclass(frozen=True, slots=True)
class Window:
    """Which values: from ``since`` until ``until`` (either may be missing), the newest ``last`` (0: all)."""

    since: Moment = ""
    until: Moment = ""
    last: int = 0

    def parameters(self) -> dict[str, str]:
        """Returns the temporal query (§4.11)."""
        since, until = _text(self.since), _text(self.until)
        last = {"lastN": str(self.last)} if self.last else {}
        if since and until:
            return {"timerel": "between", "timeAt": since, "endTimeAt": until, **last}
        if since:
            return {"timerel": "after", "timeAt": since, **last}
        return {"timerel": "before", "timeAt": until, **last} if until else last


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an evolution, and the request for the rest where the broker cut it (206, §6.3.10)."""

    series: Evolution
    next: "Ask[Piece] | None"


def _text(moment: Moment) -> str:
    return moment if isinstance(moment, str) else moment.isoformat().replace("+00:00", "Z")


def evolution(
    id_: str, attributes: str | Iterable[str], window: Window, had: datetime | None = None
) -> Ask[Piece]:
    """The values of one entity's attributes; ``had`` is the moment up to which an earlier part had them."""
    attributes = listed(attributes)

    def read(answer: httpx.Response) -> Piece:
        series = _series(decoded(answer))
        rest = _rest(answer, series)
        kept = {name: [one for one in values if one[1] != had] for name, values in series.items()}
        return Piece(kept, rest)

    def _rest(answer: httpx.Response, series: Evolution) -> Ask[Piece] | None:
        cut = _RANGE.match(answer.headers.get("Content-Range", ""))
        if cut is None or not series:
            return None
        if not window.last:
            return evolution(id_, attributes, Window(cut[2], window.until), parse_instant(cut[2]))
        left = window.last - min(len(values) for values in series.values())
        if left <= 0:
            return None
        return evolution(id_, attributes, Window(window.since, cut[2], left), parse_instant(cut[2]))

    parameters = chosen(attrs=attributes, options="temporalValues")
    return Ask("GET", f"/temporal/entities/{quoted(id_)}", read, {**parameters, **window.parameters()})


def aggregates(
    id_: str, attributes: str | Iterable[str], methods: Iterable[Method], period: str, window: Window
) -> Ask[Aggregates]:
    """Aggregates of one entity's attributes over periods of an ISO 8601 duration; empty: over everything."""
    parameters = chosen(
        attrs=listed(attributes),
        options="aggregatedValues",
        aggrMethods=listed(methods),
        aggrPeriodDuration=period,
    )

    def read(answer: httpx.Response) -> Aggregates:
        return {name: _methods(value) for name, value in _attributes(decoded(answer)).items()}

    return Ask("GET", f"/temporal/entities/{quoted(id_)}", read, {**parameters, **window.parameters()})


def whole(pieces: Iterable[Evolution], last: int) -> Evolution:
    """Joins the parts of an evolution: ordered by time, the newest ``last`` of them."""
    found: Evolution = {}
    for piece in pieces:
        for name, values in piece.items():
            found.setdefault(name, []).extend(values)
    for name, values in found.items():
        values.sort(key=lambda value: value[1])
        found[name] = values[-last:]
    return found


def _attributes(entity: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Returns the attributes of an evolution, each with its datasets."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, value in entity.items():
        instances: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
        if all(isinstance(one, dict) and "type" in one for one in instances):
            found[name] = instances
    return found


def _series(entity: Mapping[str, Any]) -> Evolution:
    return {
        name: [
            (value, parse_instant(at))
            for one in instances
            for value, at in next((one[member] for member in _LISTS if member in one), ())
        ]
        for name, instances in _attributes(entity).items()
    }


def _methods(instances: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[Any, datetime, datetime]]]:
    found: dict[str, list[tuple[Any, datetime, datetime]]] = {}
    for one in instances:
        for name, rows in one.items():
            if isinstance(rows, list):
                found.setdefault(name, []).extend(
                    (row[0], parse_instant(row[1]), parse_instant(row[2])) for row in cast("list[Any]", rows)
                )
    return found
