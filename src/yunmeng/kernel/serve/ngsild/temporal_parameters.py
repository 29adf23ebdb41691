"""The temporal part of a request: which time, how many, values or aggregates (§4.11, §4.5.7 to §4.5.19)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from yunmeng.kernel.base import BadInput, instant_us, seconds_of
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.ngsild.parameters import Parameters, names, options, whole
from yunmeng.kernel.store import Method, Relation

TimeProperty = Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"]

_METHODS: tuple[str, ...] = get_args(Method)
_SIMPLE = frozenset(("temporalValues", "simplified", "keyValues"))


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Which values are wanted; ``start`` is timeAt and ``end`` endTimeAt in µs UTC, ``last`` 0 for all."""

    relation: Relation = "any"
    start: int = 0
    end: int = 0
    property: TimeProperty = "observedAt"
    last: int = 0


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Which methods over which period, in seconds (0: the whole window)."""

    methods: tuple[Method, ...]
    period_s: int


def read_window(parameters: Parameters, *, needed: bool) -> TimeWindow:
    """Reads timerel, timeAt, endTimeAt, timeproperty and lastN.

    Raises:
        BadInput: ``temporal.relation``, ``temporal.time``, ``temporal.order``, ``time.bad``, ``time.naive``.
    """
    last = whole(parameters, "lastN", 0, 1, 999_999_999)
    wanted = parameters.get("timeproperty", "observedAt")
    if wanted not in get_args(TimeProperty):
        raise BadInput("query.value", name="timeproperty", value=wanted)
    property_ = cast("TimeProperty", wanted)
    relation = parameters.get("timerel")
    if relation is None:
        if needed or "timeAt" in parameters:
            raise BadInput("temporal.relation", relation="-")
        return TimeWindow(last=last, property=property_)
    if relation not in ("before", "after", "between"):
        raise BadInput("temporal.relation", relation=relation)
    at = _time(parameters, "timeAt")
    if relation == "before":
        return TimeWindow("before", at, 0, property_, last)
    if relation == "after":
        return TimeWindow("after", at, 0, property_, last)
    end = _time(parameters, "endTimeAt")
    if end <= at:
        raise BadInput("temporal.order", start=parameters["timeAt"], end=parameters["endTimeAt"])
    return TimeWindow("between", at, end, property_, last)


def _time(parameters: Parameters, name: str) -> int:
    text = parameters.get(name)
    if not text:
        raise BadInput("temporal.time", name=name)
    # a plus sign that was not percent-encoded arrives as a blank
    return instant_us(text.replace(" ", "+"))


def wants_pairs(parameters: Parameters) -> bool:
    """Tells whether the simplified form is wanted: pairs of value and time (§4.5.9)."""
    return bool(_SIMPLE & _form(parameters))


def _form(parameters: Parameters) -> frozenset[str]:
    """Returns the words for the form of the answer: ``format`` goes before ``options`` (§6.3.7)."""
    return frozenset(names(parameters["format"])) if "format" in parameters else options(parameters)


def read_aggregation(parameters: Parameters) -> Aggregation | None:
    """Reads aggrMethods and aggrPeriodDuration, None when values are wanted.

    Raises:
        BadInput: ``temporal.methods``, ``temporal.period``.
    """
    if "aggregatedValues" not in _form(parameters):
        return None
    methods = names(parameters.get("aggrMethods"))
    if not methods or any(method not in _METHODS for method in methods):
        raise BadInput("temporal.methods", methods=methods, known=_METHODS)
    return Aggregation(cast("Any", methods), _period(parameters.get("aggrPeriodDuration", "PT0S")))


def _period(text: str) -> int:
    seconds = seconds_of(text)
    if seconds is None:
        raise BadInput("temporal.period", period=text)
    return seconds


def temporal_parameters(body: Mapping[str, object]) -> dict[str, str]:
    """Writes ``temporalQ`` and ``aggrParams`` of a Query as parameters (§5.2.21, §5.2.44).

    Raises:
        BadInput: ``json.object``, ``json.text``.
    """
    found: dict[str, str] = {}
    for name in ("temporalQ", "aggrParams"):
        if name in body:
            found |= {key: _written(key, value) for key, value in as_object(body[name], name).items()}
    if "aggrMethods" in found:
        found["options"] = "aggregatedValues"
    return found


def _written(name: str, value: object) -> str:
    if isinstance(value, list):
        items = cast("list[object]", value)
        if not all(isinstance(item, str) for item in items):
            raise BadInput("json.text", where=name)
        return ",".join(map(str, items))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput("json.text", where=name)
    return str(value)
