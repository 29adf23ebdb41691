"""Entities of one form, read column by column: what all have in common is looked at once.

A batch of measured values takes a fifth of what its entities take one by one (decision 0018). Nothing is
refused here: what is unlike the others, or not sound, is for :func:`expand_entity` to judge.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, cast

from yunmeng.kernel.base import BadInput, check_urn
from yunmeng.kernel.model import expand
from yunmeng.kernel.model.attribute_kinds import EXPIRY, NULL, VALUE_MEMBERS
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.expand_values import VALUE_CHECKS, Mode
from yunmeng.kernel.model.operations import Document

Body = dict[str, Any]
_Kind = Literal["", "Property", "GeoProperty", "Relationship"]

_TEXT = frozenset((str,))
_COMMON = ("type", "observedAt", "datasetId")
_PLAIN = {
    "Property": frozenset((*_COMMON, "value", "unitCode")),
    "GeoProperty": frozenset((*_COMMON, "value")),
    "Relationship": frozenset((*_COMMON, "object")),
}


class Column(NamedTuple):
    """One instance of an attribute, of all entities: ``instances`` in stored form, in their order.

    ``kind`` is theirs when they are plain: the same members, and no others than value, unit, dataset and
    time. Then these are ``values`` and, as ISO 8601 text if they have any, times of observation.
    """

    attribute: str
    dataset_id: str
    unit: str
    instances: Sequence[Document]
    kind: _Kind = ""
    values: Sequence[Any] = ()
    observed_at: Sequence[str] = ()


class Table(NamedTuple):
    """Entities with different ids, the same types and the same attributes with as many instances."""

    ids: Sequence[str]
    types: Sequence[str]
    columns: Sequence[Column]


class _UnlikeError(Exception):
    """They are not of one form."""


def alike(bodies: Iterable[Body]) -> list[list[Body]]:
    """Returns the bodies with the same members in the same order together."""
    found: defaultdict[tuple[str, ...], list[Body]] = defaultdict(list)
    for body in bodies:
        found[tuple(body)].append(body)
    return list(found.values())


def read_table(bodies: Sequence[Body], context: Context) -> Table | None:
    """Reads whole entities with the same members; None when one of them wants to be read alone."""
    try:
        return _table(bodies, Mode(context.expanded))
    except (_UnlikeError, BadInput, RecursionError):
        return None


def _table(bodies: Sequence[Body], mode: Mode) -> Table:
    members = tuple(bodies[0])
    if set(map(tuple, bodies)) != {members}:
        raise _UnlikeError
    ids = [check_urn(id_) for id_ in _all(bodies, "id")]
    if len(set(ids)) < len(ids) or NULL in ids:
        raise _UnlikeError
    types = expand.types_of(mode, _same(_all(bodies, "type")))
    columns: list[Column] = []
    names: set[str] = set()
    for name in members:
        if name in ("id", "type"):
            continue
        uri = expand.attribute_uri(mode, name)
        if name in expand.OWN or uri in names:
            raise _UnlikeError
        names.add(uri)
        columns += _attribute(mode, name, uri, _all(bodies, name))
    if not columns:
        raise _UnlikeError
    return Table(ids, types, columns)


def _all(bodies: Sequence[Body], name: str) -> list[Any]:
    if name not in bodies[0]:
        raise _UnlikeError
    return [body[name] for body in bodies]


def _same(values: Sequence[Any]) -> Any:
    if values.count(values[0]) < len(values):
        raise _UnlikeError
    return values[0]


def _attribute(mode: Mode, name: str, uri: str, values: list[Any]) -> list[Column]:
    side_by_side = _places(values)
    columns = [column for place in side_by_side if (column := _plain(mode, name, uri, place)) is not None]
    if len(columns) < len(side_by_side):
        columns = _others(mode, name, uri, values)
    elif expand.wants_geometry(uri) and {column.kind for column in columns} != {"GeoProperty"}:
        raise _UnlikeError
    if not columns or len({column.dataset_id for column in columns}) < len(columns):
        raise _UnlikeError
    return columns


def _places(values: list[Any]) -> list[list[Any]]:
    """Returns the instances of an attribute by their place; each has one when it is no array."""
    if set(map(type, values)) != {list}:
        return [values]
    _same(list(map(len, values)))
    return [list(place) for place in zip(*values, strict=True)]


def _plain(mode: Mode, name: str, uri: str, instances: list[dict[str, Any]]) -> Column | None:
    if set(map(type, instances)) != {dict}:
        return None
    members = tuple(instances[0])
    if set(map(tuple, instances)) != {members} or members[:1] != ("type",):
        return None
    kind: object = _same(_all(instances, "type"))
    if not isinstance(kind, str) or kind not in _PLAIN:
        return None
    if not _PLAIN[kind].issuperset(members) or VALUE_MEMBERS[kind] not in members:
        return None
    values = _all(instances, VALUE_MEMBERS[kind])
    if not _sound(mode, name, kind, values):
        return None
    unit = expand.check_unit(name, _same(_all(instances, "unitCode"))) if "unitCode" in members else ""
    dataset = _same(_all(instances, "datasetId")) if "datasetId" in members else ""
    if dataset == "@none":
        return None
    if "datasetId" in members:
        check_urn(dataset)
    observed = _all(instances, "observedAt") if "observedAt" in members else []
    if NULL in (unit, dataset) or not all(map(_is_moment, _distinct(observed))):
        raise _UnlikeError
    return Column(uri, dataset, unit, instances, cast("_Kind", kind), values, observed)


def _sound(mode: Mode, name: str, kind: str, values: list[Any]) -> bool:
    """Tells whether the values may be stored as they are."""
    if kind == "Property":
        return name != expand.PROOF and expand.SCALARS.issuperset(map(type, values)) and NULL not in values
    if kind == "Relationship":
        if not _TEXT.issuperset(map(type, values)):
            return False
        values = list(set(values))
    check = VALUE_CHECKS[kind]
    return all(check(mode, name, value) is value for value in values)


def _distinct(texts: list[Any]) -> set[str]:
    if not _TEXT.issuperset(map(type, texts)):
        raise _UnlikeError
    return set(texts)


def _is_moment(text: str) -> bool:
    return expand.moment_of(text) == text


def _others(mode: Mode, name: str, uri: str, values: list[Any]) -> list[Column]:
    """Reads instances of any kind, one by one."""
    read = [expand.instances_of(mode, name, value) for value in values]
    _same(list(map(len, read)))
    if expand.wants_geometry(uri):
        for instances in read:
            expand.must_be_geometry(name, instances)
    columns: list[Column] = []
    for place in zip(*read, strict=True):
        if any(EXPIRY in instance for instance in place):
            raise _UnlikeError
        dataset = _same([instance.get("datasetId", "") for instance in place])
        unit = _same([instance.get("unitCode", "") for instance in place])
        columns.append(Column(uri, dataset, unit, place))
    return columns
