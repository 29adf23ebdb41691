"""Does a stored document fulfil a parsed ``q``? (ETSI GS CIM 009 §4.9)."""

import operator
from collections.abc import Callable, Iterator
from datetime import date, time
from functools import lru_cache
from typing import Any

from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.model.attribute_kinds import ENTITY_MEMBERS, EXPIRY, TIMES, VALUE_MEMBERS
from yunmeng.kernel.model.conditions import And, Compare, Condition, Exists, Linked, Operand, Or, Path, Range
from yunmeng.kernel.model.json_values import is_array, is_object
from yunmeng.kernel.model.operations import Document
from yunmeng.kernel.model.pattern import check_pattern

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TIMES = frozenset((*TIMES, EXPIRY, "observedAt"))
_RELATIONSHIPS = frozenset(("Relationship", "ListRelationship"))


def matches(document: Document, condition: Condition) -> bool:
    """Says whether a stored document fulfils the condition; of several instances one is enough."""
    match condition:
        case Compare():
            return any(_compare(condition, *target) for target in targets(document, condition.path))
        case Exists(path, negated):
            return (next(targets(document, path), None) is None) == negated
        case Linked():
            raise TypeError("a condition on linked entities must be resolved before it is matched")
        case And(parts):
            return all(matches(document, part) for part in parts)
        case Or(parts):
            return any(matches(document, part) for part in parts)


def targets(document: Document, path: Path) -> Iterator[tuple[str, Any]]:
    """Yields (kind of attribute, value) of everything that the path leads to."""
    found = document.get(path.attribute)
    if found is None:
        return
    if path.attribute in ENTITY_MEMBERS:
        for item in found if is_array(found) else (found,):
            yield "Time" if path.attribute in _TIMES else "Member", item
        return
    for instance in found:
        yield from _below(instance, path.sub, path.keys)


def _below(instance: Document, sub: tuple[str, ...], keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if not sub:
        yield from _value(instance, keys)
        return
    found = instance.get(sub[0])
    if found is None:
        return
    if not is_array(found):
        yield "Time" if sub[0] in _TIMES else "Member", found
        return
    for inner in found:
        yield from _below(inner, sub[1:], keys)


def _value(instance: Document, keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    kind: str = instance["type"]
    value = instance.get(VALUE_MEMBERS[kind])
    if kind == "LanguageProperty" and is_object(value):
        value = _words(value, keys)
    elif kind == "ListRelationship" and is_array(value):
        value = [item["object"] for item in value]
    else:
        for key in keys:
            value = value.get(key) if is_object(value) else None
    if is_object(value) and "@value" in value:
        value = value["@value"]
    if value is not None:
        yield kind, value


def _words(languages: dict[str, Any], keys: tuple[str, ...]) -> list[Any] | None:
    chosen = languages.values() if not keys or keys == ("*",) else [languages.get(keys[0])]
    words = [word for item in chosen for word in (item if is_array(item) else [item]) if word is not None]
    return words or None


def _compare(condition: Compare, kind: str, target: Any) -> bool:
    sign, operands = condition.operator, condition.operands
    if sign == "==":
        return any(_equal(target, operand) for operand in operands)
    if sign == "!=":
        return not any(_equal(target, operand) for operand in operands)
    operand = operands[0]
    if kind in _RELATIONSHIPS or isinstance(operand, Range):
        return False
    if sign in _ORDER:
        left, right = _comparable(target, operand), _key(operand)
        return left is not None and right is not None and _ORDER[sign](left, right)
    pattern = check_pattern(str(operand.value))
    texts: list[Any] = target if kind == "LanguageProperty" else [target]
    if not any(isinstance(text, str) for text in texts):
        return False
    found = any(isinstance(text, str) and pattern.search(text) for text in texts)
    return found if sign == "~=" else not found


def _equal(target: Any, operand: Operand | Range) -> bool:
    if is_array(target):
        return any(_equal(item, operand) for item in target)
    if isinstance(operand, Range):
        value, low, high = _comparable(target, operand.low), _key(operand.low), _key(operand.high)
        return value is not None and low is not None and high is not None and low <= value <= high
    value = _comparable(target, operand)
    return value is not None and value == _key(operand)


def _comparable(target: Any, operand: Operand) -> Any:
    """Returns the target as something that compares with the operand, or None when the data types differ."""
    match operand.kind:
        case "number":
            return target if type(target) in (int, float) else None
        case "boolean":
            return target if isinstance(target, bool) else None
        case "string" | "uri":
            return target if isinstance(target, str) else None
        case "datetime" | "date" | "time":
            return _temporal(operand.kind, target) if isinstance(target, str) else None


def _key(operand: Operand) -> Any:
    if operand.kind in ("datetime", "date", "time"):
        return _temporal(operand.kind, str(operand.value))
    return operand.value


@lru_cache(maxsize=65_536)
def _temporal(kind: str, text: str) -> Any:
    try:
        if kind == "datetime":
            return instant_us(text)
        if kind == "date":
            return date.fromisoformat(text)
        clock = time.fromisoformat(text)
    except (ValueError, BadInput):
        return None
    offset = clock.utcoffset()
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
    return (seconds - (offset.total_seconds() if offset else 0)) % 86_400
