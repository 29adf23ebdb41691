"""What a register as a whole must hold: curves that rise, rivers without circles, links that lead on."""

from collections.abc import Iterable, Mapping
from math import cos, hypot, radians
from typing import Any, cast

from yunmeng.converged.water.register import (
    Reach,
    RiverGraph,
    read_limits,
    reservoir_curve,
    river_graph,
)
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import is_object

_MOVED_KM = 0.1
_KM_A_DEGREE = 111.19


def check_register(
    bodies: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]] = ()
) -> RiverGraph:
    """Checks bodies (concise form) together, and returns the graph of who flows into whom.

    ``known`` are the entities that the node has already, in simplified form: links may lead to them, and
    theirs count too where the bodies do not replace them.

    Raises:
        BadInput: the fault of the first curve that is broken (``curve.…``), of flood limits (``limit.…``), of
            the graph (``river.cycle`` naming it), ``river.unknown`` for a link that leads nowhere.
    """
    all_bodies = list(bodies)
    for body in all_bodies:
        _check_numbers(body)
    before = {str(each["id"]): each for each in known}
    ids = dict.fromkeys([*(str(body["id"]) for body in all_bodies), *before])
    reaches = [
        Reach(str(body["id"]), target, hours=_hours(body))
        for body in all_bodies
        if (target := _object(body.get("flowsInto")))
    ]
    replaced = {reach.upper for reach in reaches}
    # a link that led nowhere before is not the fault of these bodies
    reaches += [
        Reach(id, str(each["flowsInto"]))
        for id, each in before.items()
        if id not in replaced and each.get("flowsInto") in ids
    ]
    for body in all_bodies:
        river = _object(body.get("river"))
        if river and river not in ids:
            raise BadInput("river.unknown", id=river, nearest=str(body["id"]))
    return river_graph(ids, reaches)


def changed(
    bodies: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Says which entities bodies rename, and which they move by more than 100 m: a code may have been reused.

    ``known`` are the entities as they stand, in simplified form. Their history stays with them.
    """
    before = {str(each["id"]): each for each in known}
    renamed: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for body in bodies:
        old = before.get(str(body["id"]))
        if old is None:
            continue
        if body.get("name") and old.get("name") and body["name"] != old["name"]:
            renamed.append({"id": body["id"], "from": old["name"], "to": body["name"]})
        km = _apart_km(old.get("location"), body.get("location"))
        if km > _MOVED_KM:
            moved.append({"id": body["id"], "km": round(km, 2)})
    found = {"renamed": renamed, "moved": moved}
    return {name: each for name, each in found.items() if each}


def _apart_km(old: object, new: object) -> float:
    if not (is_object(old) and is_object(new) and old.get("type") == new.get("type") == "Point"):
        return 0.0
    (west, south), (east, north) = old["coordinates"][:2], new["coordinates"][:2]
    middle = cos(radians((south + north) / 2))
    return hypot((east - west) * middle, north - south) * _KM_A_DEGREE


def _check_numbers(body: Mapping[str, Any]) -> None:
    name = str(body.get("name", body["id"]))
    curves = _json(body.get("curves"))
    if curves and body["type"] == "Reservoir":
        reservoir_curve(
            curves.get("level", []),
            curves.get("storage", []),
            curves.get("area"),
            curves.get("discharge"),
            curves.get("spill"),
            name=name,
        )
    limits = _json(body.get("floodLimits"))
    if limits:
        read_limits(limits, name)


def _hours(body: Mapping[str, Any]) -> float:
    time = body.get("travelTime", 0.0)
    return float(cast("Mapping[str, Any]", time)["value"] if isinstance(time, dict) else time)


def _object(value: object) -> str:
    return str(cast("Mapping[str, Any]", value).get("object", "")) if isinstance(value, dict) else ""


def _json(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value).get("json", {}) if isinstance(value, dict) else {}
