"""Parsed conditions written as text again, in the names of the source that is asked (§4.3.6.6)."""

from typing import Any

import msgspec

from yunmeng.kernel.model import (
    LOCATION,
    And,
    Compare,
    Condition,
    Context,
    Exists,
    GeoCondition,
    Linked,
    Operand,
    Path,
    Range,
    ScopeAll,
    ScopeIs,
    ScopeSelection,
    TypeAll,
    TypeIs,
    TypeSelection,
)


def q_text(condition: Condition, context: Context) -> str:
    """Returns a condition as ``q``."""
    match condition:
        case And(parts):
            return ";".join(_inner(part, context) for part in parts)
        case Compare(path, operator, operands):
            return f"{_path(path, context)}{operator}{','.join(map(_operand, operands))}"
        case Exists(path, negated):
            return f"!{_path(path, context)}" if negated else _path(path, context)
        case Linked():
            raise TypeError("a condition on linked entities must be resolved before it is sent")
        case _:
            return "|".join(_inner(part, context) for part in condition.parts)


def _inner(condition: Condition, context: Context) -> str:
    text = q_text(condition, context)
    return text if isinstance(condition, (Compare, Exists)) else f"({text})"


def _path(path: Path, context: Context) -> str:
    names = ".".join(context.compact(uri) for uri in (path.attribute, *path.sub))
    return f"{names}[{'.'.join(path.keys)}]" if path.keys else names


def _operand(operand: Operand | Range) -> str:
    if isinstance(operand, Range):
        return f"{_operand(operand.low)}..{_operand(operand.high)}"
    value = operand.value
    if operand.kind == "string":
        return msgspec.json.encode(value).decode()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def type_text(selection: TypeSelection, context: Context) -> str:
    """Returns a selection of types as ``type``."""
    if isinstance(selection, TypeIs):
        return context.compact(selection.uri)
    if isinstance(selection, TypeAll):
        return ";".join(_in_brackets(part, context) for part in selection.parts)
    return ",".join(type_text(part, context) for part in selection.parts)


def _in_brackets(selection: TypeSelection, context: Context) -> str:
    text = type_text(selection, context)
    return text if isinstance(selection, TypeIs) else f"({text})"


def scope_text(selection: ScopeSelection) -> str:
    """Returns a selection of scopes as ``scopeQ``."""
    if isinstance(selection, ScopeIs):
        return selection.pattern
    if isinstance(selection, ScopeAll):
        return ";".join(
            scope_text(part) if isinstance(part, ScopeIs) else f"({scope_text(part)})"
            for part in selection.parts
        )
    return ",".join(map(scope_text, selection.parts))


def geo_parameters(geo: GeoCondition, context: Context) -> dict[str, Any]:
    """Returns a geoquery as its parameters; ``coordinates`` is the JSON value itself."""
    relation: str = geo.relation
    for name, metres in (("minDistance", geo.min_distance), ("maxDistance", geo.max_distance)):
        if metres is not None:
            relation += f";{name}=={metres:g}"
    found: dict[str, Any] = {
        "georel": relation,
        "geometry": geo.geometry["type"],
        "coordinates": geo.geometry["coordinates"],
    }
    if geo.property != LOCATION:
        found["geoproperty"] = context.compact(geo.property)
    return found
