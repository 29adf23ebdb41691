"""What a query may ask of an entity, parsed: ``q``, types, scopes, geography (ETSI GS CIM 009 §4.9–4.10)."""

from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["==", "!=", ">", ">=", "<", "<=", "~=", "!~="]
OperandKind = Literal["number", "string", "boolean", "datetime", "date", "time", "uri"]
GeoRelation = Literal["near", "within", "contains", "intersects", "equals", "disjoint", "overlaps"]


@dataclass(frozen=True, slots=True)
class Path:
    """Where to look: an attribute URI, sub-attribute URIs (or member names), then keys inside the value."""

    attribute: str
    sub: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operand:
    """A literal; ``value`` is float, str or bool, times as ISO 8601 text in UTC."""

    kind: OperandKind
    value: float | str | bool


@dataclass(frozen=True, slots=True)
class Range:
    """A closed range ``low..high``."""

    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison; with several operands one match is enough (and none for the negative operators)."""

    path: Path
    operator: Operator
    operands: tuple[Operand | Range, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The path leads to something; ``negated``: to nothing."""

    path: Path
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Linked:
    """An entity to which the relationship at ``path`` leads fulfils the condition; ``types``: is one of them.

    Whoever holds the linked entities resolves it into a comparison with their ids before anything is matched.
    """

    path: Path
    types: tuple[str, ...]
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds."""

    parts: "tuple[Condition, ...]"


Condition = Compare | Exists | Linked | And | Or


@dataclass(frozen=True, slots=True)
class TypeIs:
    """The entity has this type (a URI)."""

    uri: str


@dataclass(frozen=True, slots=True)
class TypeAll:
    """All parts hold."""

    parts: "tuple[TypeSelection, ...]"


@dataclass(frozen=True, slots=True)
class TypeAny:
    """One part holds."""

    parts: "tuple[TypeSelection, ...]"


TypeSelection = TypeIs | TypeAll | TypeAny


@dataclass(frozen=True, slots=True)
class ScopeIs:
    """One scope pattern: ``/a/b``, ``/a/+/c``, ``/a/#`` (§4.19)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class ScopeAll:
    """All parts hold."""

    parts: "tuple[ScopeSelection, ...]"


@dataclass(frozen=True, slots=True)
class ScopeAny:
    """One part holds."""

    parts: "tuple[ScopeSelection, ...]"


ScopeSelection = ScopeIs | ScopeAll | ScopeAny


@dataclass(frozen=True, slots=True)
class GeoCondition:
    """A relation to a GeoJSON geometry (EPSG:4326); distances in metres, only for ``near``."""

    relation: GeoRelation
    geometry: dict[str, Any]
    property: str
    min_distance: float | None = None
    max_distance: float | None = None


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order: what the path leads to, or its distance from a GeoJSON geometry."""

    path: Path
    descending: bool = False
    origin: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """How entities are ordered (§4.23); texts by ``collation``, by code points when it is empty."""

    keys: tuple[OrderKey, ...]
    collation: str = ""
