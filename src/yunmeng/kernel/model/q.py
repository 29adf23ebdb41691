"""The query language ``q``, parsed (ETSI GS CIM 009 §4.9)."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from math import isfinite

import msgspec

from yunmeng.kernel.base import BadInput, Unsupported
from yunmeng.kernel.model.attribute_kinds import ENTITY_MEMBERS, INSTANCE_MEMBERS, TIMES
from yunmeng.kernel.model.conditions import (
    And,
    Compare,
    Condition,
    Exists,
    Linked,
    Operand,
    OperandKind,
    Operator,
    Or,
    Path,
    Range,
)
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.expand_values import utc_text
from yunmeng.kernel.model.pattern import check_pattern

_NAME = re.compile(r"[^\W\d_][\w-]*(?::[^\W\d][\w-]*)?")
_HINT = re.compile(r"([^\W\d_][\w-]*(?:,[^\W\d_][\w-]*)*):(?=[^\W\d_])")
_OPERATOR = re.compile(r"==|!=|>=|>|<=|<|~=|!~=")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:\d\d)?\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f]+\Z")
_RAW = re.compile(r"[^;|,()\"]+")
_TIME_MEMBERS = frozenset((*TIMES, "observedAt"))
_DEEPEST = 32
_LONGEST = 16_384
_KEPT = 512


def parse_q(
    text: str, context: Context, expand_values: Collection[str] = (), links: int | None = None
) -> Condition:
    """Returns the condition that ``q`` states; names become URIs.

    ``expand_values`` are the names whose values are names too (VocabProperty). ``createdAt`` and
    ``modifiedAt`` of the entity stay member names. ``links`` is how many relationships a path may follow;
    None where linked entities are never asked. Raises ``BadInput`` with the key of what was expected
    (``q.name``, ``q.value``, ``q.end``...), the position from 1 and the text there, ``q.links`` for paths
    that follow more relationships, and ``Unsupported("q.linked")`` where none can be followed.
    """
    if len(text) > _LONGEST:
        raise BadInput("q.long", characters=len(text))
    read = _read if len(text) <= _KEPT else _read.__wrapped__
    return read(text, context, frozenset(expand_values), links)


# pages and dashboards ask the same again and again
@lru_cache(maxsize=512)
def _read(text: str, context: Context, expand_values: frozenset[str], links: int | None) -> Condition:
    return _Reader(text, context, expand_values, links).whole()


def parse_path(text: str, context: Context) -> Path:
    """Returns the path ``attribute.sub[key]``; members of an entity keep their names.

    Raises ``BadInput`` like :func:`parse_q`.
    """
    return _Reader(text, context, frozenset(), None).whole_path()


@dataclass(slots=True)
class _Reader:
    """A recursive descent over the text; AND binds closer than OR."""

    text: str
    context: Context
    expand_values: frozenset[str]
    links: int | None = None
    place: int = 0
    depth: int = 0
    hops: int = 0

    def whole(self) -> Condition:
        condition = self._any()
        if self.place < len(self.text):
            raise self._expected("q.end")
        return condition

    def whole_path(self) -> Path:
        """Reads the text as one path."""
        path = self._path(ENTITY_MEMBERS)
        if self.place < len(self.text):
            raise self._expected("q.end")
        return path

    def _expected(self, key: str) -> BadInput:
        rest = self.text[self.place : self.place + 20]
        return BadInput(key, position=self.place + 1, found=rest)

    def _take(self, token: str) -> bool:
        if self.text.startswith(token, self.place):
            self.place += len(token)
            return True
        return False

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._take("|"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._take(";"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Condition:
        if not self._take("("):
            return self._term()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._expected("q.deep")
        condition = self._any()
        if not self._take(")"):
            raise self._expected("q.parenthesis")
        self.depth -= 1
        return condition

    def _term(self) -> Condition:
        if self._take("!"):
            return Exists(self._path(), negated=True)
        first = self.place
        path = self._path()
        if self.text.startswith("{", self.place):
            return self._linked(path)
        return self._compared(path, self.text[first : self.place])

    def _compared(self, path: Path, name: str) -> Condition:
        found = _OPERATOR.match(self.text, self.place)
        if found is None:
            if self.text[self.place : self.place + 1] not in ("", ";", "|", ")"):
                raise self._expected("q.operator")
            return Exists(path)
        self.place = found.end()
        operator: Operator = found[0]  # pyright: ignore[reportAssignmentType]
        if operator in ("~=", "!~="):
            return Compare(path, operator, (self._pattern(),))
        read = self._name_value if name in self.expand_values else self._value
        operands = self._operands(read) if operator in ("==", "!=") else (read(),)
        return Compare(path, operator, tuple(self._timed(path, operand) for operand in operands))

    def _linked(self, path: Path) -> Condition:
        """Reads ``{Type:path}`` and what follows it: a condition on the linked entity (§4.9)."""
        if self.links is None:
            raise Unsupported("q.linked", position=self.place + 1)
        self.hops += 1
        if self.hops > self.links:
            raise self._expected("q.links")
        self.place += 1
        types = self._hints()
        first = self.place
        inner = self._path()
        name = self.text[first : self.place]
        if self.text.startswith("{", self.place):
            nested = self._linked(inner)
            self.hops -= 1
            return Linked(path, types, nested)
        # the braces close before the operator: close the outer ones too
        for _ in range(self.hops):
            if not self._take("}"):
                raise self._expected("q.brace")
        compared = self._compared(inner, name)
        self.hops -= 1
        return Linked(path, types, compared)

    def _hints(self) -> tuple[str, ...]:
        """Reads the types before the colon of a linked path, none without one."""
        found = _HINT.match(self.text, self.place)
        if found is None:
            return ()
        self.place = found.end()
        return tuple(self.context.expanded[name] for name in found[1].split(","))

    def _path(self, members: frozenset[str] = TIMES) -> Path:
        names = [self._name()]
        while self._take("."):
            names.append(self._name())
        keys: list[str] = []
        if self._take("["):
            end = self.text.find("]", self.place)
            keys = self.text[self.place : end].split(".") if end >= 0 else []
            if not keys or not all(keys):
                raise self._expected("q.key")
            self.place = end + 1
        top = names[0] if names[0] in members else self.context.expanded[names[0]]
        sub = [name if name in INSTANCE_MEMBERS else self.context.expanded[name] for name in names[1:]]
        return Path(top, tuple(sub), tuple(keys))

    def _name(self) -> str:
        found = _NAME.match(self.text, self.place)
        if found is None:
            raise self._expected("q.name")
        self.place = found.end()
        return found[0]

    def _operands(self, read: Callable[[], Operand]) -> tuple[Operand | Range, ...]:
        operands: list[Operand | Range] = []
        while True:
            low = read()
            operands.append(self._range(low, read) if self._take("..") else low)
            if not self._take(","):
                return tuple(operands)

    def _range(self, low: Operand, read: Callable[[], Operand]) -> Range:
        before = self.place
        high = read()
        if low.kind != high.kind or low.kind in ("boolean", "uri"):
            self.place = before
            raise self._expected("q.range")
        return Range(low, high)

    def _value(self) -> Operand:
        quoted = _STRING.match(self.text, self.place)
        if quoted is not None:
            return self._quoted(quoted)
        operand = _literal(self._raw())
        if operand is None:
            raise self._expected("q.value")
        self.place += len(self._raw())
        return operand

    def _raw(self) -> str:
        found = _RAW.match(self.text, self.place)
        raw = found[0] if found else ""
        low, dots, _ = raw.partition("..")
        literal = _literal(low) if dots else None
        return low if literal is not None and literal.kind != "uri" else raw

    def _quoted(self, found: re.Match[str]) -> Operand:
        try:
            value = msgspec.json.decode(found[0], type=str)
        except msgspec.DecodeError as cause:
            raise self._expected("q.value") from cause
        self.place = found.end()
        return Operand("string", value)

    def _name_value(self) -> Operand:
        found = _STRING.match(self.text, self.place)
        if found is not None:
            name = str(self._quoted(found).value)
        else:
            name = self._raw()
            self.place += len(name)
        return Operand("uri", self.context.expanded[name])

    def _timed(self, path: Path, operand: Operand | Range) -> Operand | Range:
        last = (path.attribute, *path.sub)[-1]
        if isinstance(operand, Operand) and operand.kind == "string" and last in _TIME_MEMBERS:
            return Operand("datetime", utc_text(operand.value))
        return operand

    def _pattern(self) -> Operand:
        quoted = _STRING.match(self.text, self.place)
        if quoted is not None:
            operand = self._quoted(quoted)
        else:
            end = self._pattern_end()
            operand = Operand("string", self.text[self.place : end])
            self.place = end
        if not operand.value:
            raise self._expected("q.value")
        check_pattern(str(operand.value))
        return operand

    def _pattern_end(self) -> int:
        depth = 0
        for place in range(self.place, len(self.text)):
            character = self.text[place]
            if character == "(":
                depth += 1
            elif character == ")" and depth:
                depth -= 1
            elif character == ")" or (character in ";|" and not depth):
                return place
        return len(self.text)


def _literal(raw: str) -> Operand | None:
    """Returns what an unquoted value says, or None when it says nothing."""
    if raw in ("true", "false"):
        return Operand("boolean", raw == "true")
    if _NUMBER.match(raw) and isfinite(float(raw)):
        return Operand("number", float(raw))
    if _DATE_TIME.match(raw):
        return Operand("datetime", utc_text(raw))
    if _DATE.match(raw):
        return _calendar("date", raw, lambda: date.fromisoformat(raw))
    if _TIME.match(raw):
        return _calendar("time", raw, lambda: time.fromisoformat(raw))
    if _URI.match(raw):
        return Operand("uri", raw)
    # a term of a vocabulary stands without quotes; it counts as the text that it is (§4.9)
    return Operand("string", raw) if _NAME.fullmatch(raw) else None


def _calendar(kind: OperandKind, raw: str, check: Callable[[], object]) -> Operand:
    try:
        check()
    except ValueError as cause:
        raise BadInput("time.bad", time=raw) from cause
    return Operand(kind, raw)
