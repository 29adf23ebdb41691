"""What a written entity must keep to beyond its form: units that exist, times that have come."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from yunmeng.kernel.base import BadInput, format_us, now_us, unit
from yunmeng.kernel.model import INSTANCE_MEMBERS, Context, Document, Table, expand_entity, expand_fragment
from yunmeng.kernel.serve.routes import Call

_NULL = "urn:ngsi-ld:null"


@lru_cache(maxsize=4096)
def _known_unit(code: str) -> bool:
    unit(code)
    return True


def entity_of(call: Call, body: object, context: Context) -> Document:
    """Expands a whole entity and checks it.

    Raises:
        BadInput: the model's, ``unit.unknown``, ``time.future``.
    """
    return checked(call, expand_entity(body, context))


def fragment_of(call: Call, body: object, context: Context) -> Document:
    """Expands an entity fragment and checks it.

    Raises:
        BadInput: the model's, ``unit.unknown``, ``time.future``.
    """
    return checked(call, expand_fragment(body, context))


def checked(call: Call, document: Document) -> Document:
    """Returns the document if its units and times can be."""
    latest = latest_time(call)
    for instances in document.values():
        if isinstance(instances, list):
            for instance in cast("list[Any]", instances):
                if isinstance(instance, dict):
                    check_instance(cast("Document", instance), latest)
    return document


def check_table(call: Call, table: Table) -> None:
    """Checks entities that were read by columns.

    Raises:
        BadInput: ``unit.unknown``, ``time.future``.
    """
    latest = latest_time(call)
    for column in table.columns:
        if column.kind:
            newest = max(column.observed_at, default="")
            check_instance({"unitCode": column.unit or None, "observedAt": newest}, latest)
        else:
            _check_all(column.instances, latest)


def latest_time(call: Call) -> str:
    """Returns the latest time of observation that is believed, as ISO 8601 text in UTC."""
    return _latest(now_us() // 1_000_000 + call.services.settings.keeper.future_tolerance_s)


@lru_cache(maxsize=16)
def _latest(second: int) -> str:
    return format_us(second * 1_000_000)[:-5]


def check_instance(instance: Document, latest: str) -> None:
    """Checks one attribute instance and its sub-attributes.

    Raises:
        BadInput: ``unit.unknown``, ``time.future``.
    """
    code = instance.get("unitCode")
    if code is not None and code != _NULL:
        _known_unit(code)
    observed_at = instance.get("observedAt", "")
    if observed_at > latest and observed_at != _NULL:
        raise BadInput("time.future", time=observed_at, latest=latest)
    if not INSTANCE_MEMBERS.issuperset(instance):
        for name, value in instance.items():
            if value.__class__ is list and ":" in name:
                _check_all(cast("list[Any]", value), latest)


def _check_all(instances: Iterable[Any], latest: str) -> None:
    for instance in instances:
        if isinstance(instance, dict):
            check_instance(cast("Document", instance), latest)
