"""Reads of the temporal evolution that look beyond this node (ETSI GS CIM 009 §5.7.3.4, §5.7.4.4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model import Context, Document, parse_types
from yunmeng.kernel.serve.ngsild.parameters import Parameters, pattern, urns
from yunmeng.kernel.serve.ngsild.temporal_parameters import TimeWindow, read_aggregation, read_window
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources import wording
from yunmeng.kernel.serve.sources.asking import Sight
from yunmeng.kernel.serve.sources.evolutions import Elsewhere, JoinedHistory, KnownElsewhere
from yunmeng.kernel.serve.sources.judging import offers, within
from yunmeng.kernel.serve.sources.matching import Need, TimeFrame, leaves, matching, overlaps
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.remote import evolution_of, is_dated
from yunmeng.kernel.store import EntityQuery, Point
from yunmeng.kernel.trust import Reach

_WINDOW = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")
_HEAD = frozenset(("id", "type", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_SCOPE = "scope"
_MOMENTS = ("observedAt", "modifiedAt", "createdAt", "deletedAt")
_RETRIEVING = frozenset(("retrieveTemporal", "queryTemporal"))
_QUERYING = frozenset(("queryTemporal",))


@dataclass(frozen=True, slots=True)
class Evolutions:
    """The way to the evolutions that sources have, for one request."""

    services: Services
    registrations: Sequence[Registration]
    sight: Sight
    reach: Reach

    async def services_for(self, id_: str, parameters: Parameters, context: Context) -> Services:
        """Returns services whose history and state have, for this request, what sources have as well.

        Raises:
            BadInput: those of the parameters.
        """
        told = await self._told(id_, parameters, context)
        elsewhere = _elsewhere(one for one in told if within(one, self.reach, self._home))
        state = KnownElsewhere(self.services.state, self.reach.tenant, elsewhere)
        return replace(self.services, state=state, history=JoinedHistory(self.services.history, elsewhere))

    @property
    def _home(self) -> str:
        return self.services.settings.node.division

    async def _told(self, id_: str, parameters: Parameters, context: Context) -> list[Document]:
        window = read_window(parameters, needed=False)
        types = parse_types(parameters["type"], context) if parameters.get("type") else None
        asked = EntityQuery(
            self.reach,
            ids=(id_,) if id_ else urns(parameters.get("id")),
            id_pattern=pattern(parameters.get("idPattern")),
            types=types,
        )
        # conditions look at the whole of an evolution
        whole = any(parameters.get(name) for name in ("q", "georel"))
        need = Need(
            frozenset(asked.ids),
            asked.id_pattern,
            leaves(types),
            frozenset() if whole else self.sight.asking.attributes,
            self.sight.asking.csf,
            datasets=self.sight.asking.datasets,
        )
        found = [one for one in matching(self.registrations, need) if _in_time(one.registration, window)]
        shared = _shared(parameters)
        forwards = [
            wording.evolution(one, id_, self.sight.context(one.registration), shared)
            if id_ and "retrieveTemporal" in one.registration.operations
            else wording.evolutions(one, asked, self.sight.context(one.registration), shared)
            for one in found
            if offers(one, _RETRIEVING if id_ else _QUERYING)
        ]
        views = await self.sight.views(forwards, read=evolution_of)
        told = (one.document(self.sight.warnings) for view in views for one in view)
        return [one for one in told if one is not None]


def concerned(registrations: Sequence[Registration]) -> list[Registration]:
    """Returns the registrations of sources that tell of the past."""
    return [one for one in registrations if not one.operations.isdisjoint(_RETRIEVING)]


def _in_time(registration: Registration, window: TimeWindow) -> bool:
    """Tells whether a source may have something of the window; who names no interval may (§5.2.9)."""
    observed = window.property == "observedAt"
    interval = registration.observed if observed else registration.managed
    if interval is None or window.relation == "any":
        return True
    return overlaps(interval, TimeFrame(window.relation, window.start, window.end or None, observed))


def _shared(parameters: Parameters) -> dict[str, str]:
    window = {name: parameters[name] for name in _WINDOW if parameters.get(name)}
    if read_aggregation(parameters) is not None:
        # of aggregates the last periods are meant, not the last values
        window.pop("lastN", None)
    return window


def _elsewhere(told: Iterator[Document]) -> Elsewhere:
    heads: dict[str, Document] = {}
    points: dict[str, list[Point]] = {}
    for document in told:
        id_ = str(document["id"])
        head = {name: value for name, value in document.items() if name in _HEAD}
        if not is_dated(document.get(_SCOPE)):
            head |= {_SCOPE: document[_SCOPE]} if _SCOPE in document else {}
        heads[id_] = {**head, **heads.get(id_, {})}
        points.setdefault(id_, []).extend(_points(id_, document))
    return Elsewhere(heads, points)


def _points(id_: str, document: Document) -> Iterator[Point]:
    for attribute, instances in document.items():
        if attribute in _HEAD or (attribute == _SCOPE and not is_dated(instances)):
            continue
        for instance in instances:
            at = next((str(instance[name]) for name in _MOMENTS if name in instance), "")
            if at:
                yield _point(id_, attribute, instance, instant_us(at))


def _point(id_: str, attribute: str, instance: Mapping[str, Any], at: int) -> Point:
    body = {name: value for name, value in instance.items() if name != "instanceId"}
    value = body.get("value")
    return Point(
        entity=id_,
        attribute=attribute,
        dataset_id=str(body.get("datasetId", "")),
        at=at,
        value=value if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None,
        instance_id=str(instance.get("instanceId", "")),
        body=body,
    )
