"""Which registrations concern a request, and with what part of it (ETSI GS CIM 009 §5.12)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from yunmeng.kernel.model import (
    Condition,
    Document,
    GeoCondition,
    ScopeSelection,
    TypeIs,
    TypeSelection,
    check_pattern,
    matches,
    matches_geo,
    matches_scopes,
)
from yunmeng.kernel.serve.sources.information import EntityInfo, Information
from yunmeng.kernel.serve.sources.members import Interval
from yunmeng.kernel.serve.sources.registration import Registration


@dataclass(frozen=True, slots=True)
class TimeFrame:
    """A temporal query; ``end`` is None where it is open, ``observed`` False for system times."""

    relation: str
    at: int
    end: int | None = None
    observed: bool = True


@dataclass(frozen=True, slots=True)
class Need:
    """What a request is about; what is empty is not limited."""

    ids: frozenset[str] = frozenset()
    pattern: str = ""
    types: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    csf: Condition | None = None
    geo: GeoCondition | None = None
    scope: ScopeSelection | None = None
    time: TimeFrame | None = None
    datasets: frozenset[str] = frozenset()
    strictly: bool = False
    """Whether a source must say where it is to lie in ``geo`` and ``scope``."""


@dataclass(frozen=True, slots=True)
class Match:
    """A registration with what it holds of the need: ``attributes`` and ``ids`` are empty for all."""

    registration: Registration
    attributes: frozenset[str]
    ids: frozenset[str]
    types: frozenset[str]
    pattern: str


def leaves(selection: TypeSelection | None) -> frozenset[str]:
    """Returns every type that a selection names."""
    if selection is None:
        return frozenset()
    if isinstance(selection, TypeIs):
        return frozenset((selection.uri,))
    return frozenset(uri for part in selection.parts for uri in leaves(part))


def matching(registrations: Iterable[Registration], need: Need) -> list[Match]:
    """Returns the matches among the registrations."""
    return [found for one in registrations if (found := match(one, need)) is not None]


def match(registration: Registration, need: Need) -> Match | None:
    """Returns what a registration holds of the need, None when nothing."""
    if not _fits(registration, need):
        return None
    hits = [
        (one, entities)
        for one in registration.information
        if (entities := _entities(one, need)) is not None and _has_attributes(one, need)
    ]
    if not hits:
        return None
    selected = [entity for _, entities in hits for entity in entities]
    whole = not all(entities for _, entities in hits)
    return Match(
        registration,
        _narrowed(need, [one for one, _ in hits]),
        need.ids if whole else _ids(need, selected),
        frozenset() if whole else _types(selected),
        "" if whole or len(selected) != 1 or selected[0].pattern is None else selected[0].pattern.pattern,
    )


def relevant(registration: Registration, needs: Iterable[Need]) -> list[int]:
    """Returns which of the registration's information, by place, holds something of one of the needs."""
    wanted = tuple(needs)
    return [
        place
        for place, one in enumerate(registration.information)
        if any(_entities(one, need) is not None and _has_attributes(one, need) for need in wanted)
    ]


def _fits(registration: Registration, need: Need) -> bool:
    document = registration.properties
    return (
        (need.csf is None or matches(document, need.csf))
        and _scoped(document, need)
        and _located(document, need)
        and _timed(registration, need.time)
        and not (need.datasets and registration.datasets and need.datasets.isdisjoint(registration.datasets))
    )


def _scoped(document: Document, need: Need) -> bool:
    if need.scope is None or "scope" not in document:
        return need.scope is None or not need.strictly
    return matches_scopes(document, need.scope)


def _located(document: Document, need: Need) -> bool:
    """A source that does not say where its entities are may have them anywhere."""
    geo = need.geo
    if geo is None or geo.property not in document:
        return geo is None or not need.strictly
    if matches_geo(document, geo):
        return True
    # an area that is larger than the one asked for may hold entities in it
    return geo.relation != "disjoint" and not need.strictly and _touches(document, geo)


def _touches(document: Document, geo: GeoCondition) -> bool:
    if geo.relation == "near":
        return geo.min_distance is not None
    return matches_geo(document, GeoCondition("intersects", geo.geometry, geo.property))


def _timed(registration: Registration, time: TimeFrame | None) -> bool:
    if time is None:
        return True
    interval = registration.observed if time.observed else registration.managed
    return interval is not None and overlaps(interval, time)


def overlaps(interval: Interval, time: TimeFrame) -> bool:
    """Tells whether a source's interval touches the time asked for (§4.11)."""
    after = interval.end is None or interval.end >= time.at
    if time.relation == "before":
        return interval.start < time.at
    if time.relation == "after":
        return after
    return after and (time.end is None or interval.start < time.end)


def _entities(information: Information, need: Need) -> list[EntityInfo] | None:
    """Returns the entity infos that fit, empty when any entity does, None when none fits."""
    if not information.entities:
        return []
    return [one for one in information.entities if _selects(one, need)] or None


def _selects(entity: EntityInfo, need: Need) -> bool:
    if need.types and entity.types and entity.types.isdisjoint(need.types):
        return False
    if need.ids:
        return any(_names(entity, id_) for id_ in need.ids)
    # two patterns cannot be compared, so a source that has one may well hold what the other one means
    return not (need.pattern and entity.id) or check_pattern(need.pattern).search(entity.id) is not None


def _names(entity: EntityInfo, id_: str) -> bool:
    if entity.id:
        return entity.id == id_
    return entity.pattern is None or entity.pattern.search(id_) is not None


def _types(selected: list[EntityInfo]) -> frozenset[str]:
    if not all(entity.types for entity in selected):
        return frozenset()
    return frozenset(uri for entity in selected for uri in entity.types)


def _ids(need: Need, selected: list[EntityInfo]) -> frozenset[str]:
    if need.ids:
        return frozenset(id_ for id_ in need.ids if any(_names(entity, id_) for entity in selected))
    ids = frozenset(entity.id for entity in selected)
    return ids if "" not in ids else frozenset()


def _has_attributes(information: Information, need: Need) -> bool:
    held = information.attributes
    return not held or not need.attributes or not held.isdisjoint(need.attributes)


def _narrowed(need: Need, hits: list[Information]) -> frozenset[str]:
    held: set[str] = set()
    for one in hits:
        if not one.attributes:
            return need.attributes
        held |= one.attributes
    return frozenset(held & need.attributes if need.attributes else held)


def proxied(matches_: Iterable[Match]) -> Iterator[Match]:
    """Yields the matches whose part is held by the source alone, exclusive ones first."""
    found = [one for one in matches_ if one.registration.proxied]
    yield from sorted(found, key=lambda one: one.registration.mode != "exclusive")
