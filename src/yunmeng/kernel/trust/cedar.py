"""Cedar as the rest of trust sees it: rules read from files, checked with file and line, and asked."""

# cedarpy names its dictionaries without their types; nothing of that leaves this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cedarpy

from yunmeng.kernel.base import BadInput

_FOLDER = Path(__file__).parent
_SCHEMA_FILE = _FOLDER / "policy.cedarschema"
_POLICY_FILE = _FOLDER / "policy.cedar"

# A policy ends at a semicolon that is in no comment and no string.
_TOKEN = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;')
_BLANK = re.compile(r"(?:\s|//[^\n]*)*")
_ID = re.compile(r'@id\s*\(\s*"((?:\\.|[^"\\])*)"\s*\)')
# Cedar numbers policies by their position, which is always the first here.
_POSITION = re.compile(r"^for policy `\w+`, ")
_QUOTED = re.compile(r"`([^`]+)`|: (\S+)$")
_ACTIONS = re.compile(r'^action ((?:"[a-z.]+"(?:, )?)+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What Cedar is asked about; ``ancestors`` are the divisions that the resource lies in."""

    principal: str
    kind: str
    principal_tenant: str
    roles: tuple[str, ...]
    divisions: tuple[str, ...]
    everywhere: bool
    clearance: int
    action: str
    resource: str
    resource_kind: str
    resource_tenant: str
    ancestors: tuple[str, ...]
    grade: int

    def entities(self) -> str:
        """Returns the principal and the resource as Cedar entities in JSON."""
        principal = {
            "uid": _uid("Principal", self.principal),
            "attrs": {
                "kind": self.kind,
                "tenant": self.principal_tenant,
                "divisions": [{"__entity": _uid("Division", code)} for code in self.divisions],
                "everywhere": self.everywhere,
                "clearance": self.clearance,
            },
            "parents": [_uid("Role", role) for role in self.roles],
        }
        resource = {
            "uid": _uid("Resource", self.resource),
            "attrs": {
                "kind": self.resource_kind,
                "tenant": self.resource_tenant,
                "grade": self.grade,
                "located": bool(self.ancestors),
            },
            "parents": [_uid("Division", code) for code in self.ancestors],
        }
        return json.dumps([principal, resource])


class Rules:
    """The one policy set of a node: the built-in rules and those of the operator's own files.

    Raises:
        BadInput: ``policy.bad`` with file and line when a rule does not parse or breaks the schema.
        BadInput: ``policy.unnamed`` when a rule has no ``@id``, ``policy.twice`` when two have the same.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        schema_text = _SCHEMA_FILE.read_text(encoding="utf-8")
        self.actions = frozenset(actions_of(schema_text))
        self._schema = cedarpy.Schema.from_str(schema_text)
        texts = [self._checked(file) for file in (_POLICY_FILE, *files)]
        _refuse_doubles([rule for rules in texts for rule in rules])
        self._set = cedarpy.PolicySet.from_str("".join(rule.text for rules in texts for rule in rules))
        self._base = cedarpy.Entities.from_json_str("[]", self._schema)

    def ask(self, facts: Facts) -> tuple[bool, tuple[str, ...]]:
        """Returns whether the rules allow it and the ids of the rules that decided, if any."""
        request = {
            "principal": _uid("Principal", facts.principal),
            "action": _uid("Action", facts.action),
            "resource": _uid("Resource", facts.resource),
        }
        entities = self._base.with_added_json_str(facts.entities())
        answer = cedarpy.is_authorized(request, self._set, entities)
        found = answer.diagnostics
        if found.errors:
            # Cedar skips a rule that fails: a forbid that fails must not let anyone through.
            return False, ("rule.failed",)
        names: dict[str, str] = found.id_annotations_by_reason
        return answer.allowed, tuple(sorted(names[rule] for rule in found.reasons))

    def conforms(self, facts: Facts) -> bool:
        """Returns whether the question itself fits the schema."""
        try:
            self._base.with_added_json_str(facts.entities(), self._schema)
        except ValueError:
            return False
        return facts.action in self.actions

    def _checked(self, file: Path) -> "list[_Rule]":
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as cause:
            raise BadInput("policy.bad", file=str(file), line=1, reason=str(cause)) from cause
        rules = list(_split(file, text))
        for rule in rules:
            self._check(rule)
        return rules

    def _check(self, rule: "_Rule") -> None:
        found = cedarpy.validate_policies(rule.text, self._schema)
        if not found.validation_passed:
            reason = _POSITION.sub("", found.errors[0].error)
            raise BadInput("policy.bad", file=str(rule.file), line=rule.line_of(reason), reason=reason)
        if not rule.id:
            raise BadInput("policy.unnamed", file=str(rule.file), line=rule.line)


@dataclass(frozen=True, slots=True)
class _Rule:
    file: Path
    line: int
    text: str

    @property
    def id(self) -> str:
        found = _ID.search(self.text)
        return found.group(1) if found else ""

    def line_of(self, reason: str) -> int:
        """Returns the line of the word that Cedar complains about, or the rule's first line."""
        for found in _QUOTED.finditer(reason):
            at = self.text.find(found.group(1) or found.group(2))
            if at >= 0:
                return self.line + self.text.count("\n", 0, at)
        return self.line


def actions_of(schema: str) -> Iterator[str]:
    """Yields the dotted action names that a schema declares."""
    for found in _ACTIONS.finditer(schema):
        yield from re.findall(r'"([a-z.]+)"', found.group(1))


def _split(file: Path, text: str) -> Iterator[_Rule]:
    start = 0
    for found in _TOKEN.finditer(text):
        if found.group() == ";":
            yield _rule(file, text, start, found.end())
            start = found.end()
    if _skip_blank(text, start) < len(text):
        yield _rule(file, text, start, len(text))


def _rule(file: Path, text: str, start: int, end: int) -> _Rule:
    start = _skip_blank(text, start)
    return _Rule(file, text.count("\n", 0, start) + 1, text[start:end] + "\n")


def _skip_blank(text: str, start: int) -> int:
    found = _BLANK.match(text, start)
    return found.end() if found else start


def _refuse_doubles(rules: Sequence[_Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise BadInput("policy.twice", file=str(rule.file), line=rule.line, id=rule.id)
        seen.add(rule.id)


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}
