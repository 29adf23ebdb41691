"""The rivers around one node, read from the register: what is upstream and downstream of it, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yunmeng.converged.water.reading import Reader
from yunmeng.converged.water.register import Reach, RiverGraph, river_graph
from yunmeng.kernel.base import BadInput, NotFound

_FLOWING = "River,Reservoir,FloodControlPoint,HydrologicalStation"


@dataclass(frozen=True, slots=True)
class Course:
    """The graph around a node; ``fault`` is ``river.cycle`` where what lies below it runs in a circle.

    The reach that closes the circle is not in the graph: the rest can still be told.
    """

    graph: RiverGraph
    fault: BadInput | None


async def read_course(reader: Reader, id: str) -> Course:
    """Reads the course of water to and from a node. Raises ``NotFound("water.absent")``."""
    down, circle = await _downstream(reader, id)
    nodes = {str(each["id"]): each for each in down}
    around = await _upstream(reader, id, nodes)
    ids = [*nodes, *around]
    # the last node downstream closes the circle, or ends the way
    reaches = [_reach(each) for each in [*down[:-1], *around.values()]]
    return Course(river_graph(sorted(ids), reaches), _fault(circle))


async def _downstream(reader: Reader, id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the way down, the node itself first, and the circle in which it ends, if it does."""
    way = [await reader.entity(id)]
    places = {id: 0}
    while isinstance(below := way[-1].get("flowsInto"), str):
        if below in places:
            return way, way[places[below] :]
        try:
            way.append(await reader.entity(below))
        except NotFound:
            break
        places[below] = len(places)
    return way, []


async def _upstream(reader: Reader, id: str, known: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns what flows to a node, by id; what is ``known`` to lie downstream is left out."""
    found: dict[str, dict[str, Any]] = {}
    level = [id]
    while level:
        above = await reader.pointing(_FLOWING, "flowsInto", level)
        news = {each["id"]: each for each in above if each["id"] not in known and each["id"] not in found}
        found |= news
        level = list(news)
    return found


def _reach(upper: Mapping[str, Any]) -> Reach:
    return Reach(str(upper["id"]), str(upper["flowsInto"]), hours=float(upper.get("travelTime", 0.0)))


def _fault(circle: list[dict[str, Any]]) -> BadInput | None:
    if not circle:
        return None
    names = [str(each.get("name", each["id"])) for each in [*circle, circle[0]]]
    return BadInput("river.cycle", path=" → ".join(names), nodes=len(circle))
