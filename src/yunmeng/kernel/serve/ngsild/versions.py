"""Answers for readers of an earlier version of the information model (ETSI GS CIM 009 §4.3.6.8, §6.3.6)."""

import re
from typing import Any

import msgspec

from yunmeng.kernel.model import VALUE_MEMBERS, is_array, is_object
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.ngsild.representation import Shown, View
from yunmeng.kernel.serve.replies import encode_json
from yunmeng.kernel.serve.routes import Call

Version = tuple[int, int]

_WISH = re.compile(r'\s*ngsi-ld\s*=\s*"?(\d)\.(\d{1,2})"?\s*(?:;.*)?', re.IGNORECASE)
# the kinds of attributes that are shown as Properties where a version did not know them (Table 4.3.6.8-1)
_SINCE: dict[str, Version] = {
    "LanguageProperty": (1, 4),
    "VocabProperty": (1, 8),
    "JsonProperty": (1, 8),
    "ListProperty": (1, 8),
    "ListRelationship": (1, 8),
}
_MEMBERS = frozenset(("value", *(VALUE_MEMBERS[kind] for kind in _SINCE)))


def prefer_of(call: Call) -> str:
    """Returns the header ``Prefer``, empty without one."""
    return header(call.request, b"prefer") or ""


def preferred_version(call: Call) -> Version | None:
    """Returns the version that the reader wishes for, None without a wish."""
    text = prefer_of(call)
    if not text:
        return None
    for wish in text.split(","):
        found = _WISH.fullmatch(wish)
        if found is not None:
            return int(found[1]), int(found[2])
    return None


def applied(call: Call) -> dict[str, str]:
    """Returns the header that says that a wish was heard."""
    version = preferred_version(call)
    return {} if version is None else {"Preference-Applied": f"ngsi-ld={version[0]}.{version[1]}"}


def fall_back(call: Call, shown: list[Shown], view: View) -> list[Shown] | None:
    """Returns the entities with what the wished-for version did not know as Properties, None without such."""
    version = preferred_version(call)
    if version is None:
        return None
    unknown = frozenset(kind for kind, since in _SINCE.items() if since > version)
    if not unknown or view.representation.endswith("simplified"):
        return None
    # what is shown may be shared with other answers
    copies = msgspec.json.decode(encode_json(shown), type=list[dict[str, Any]])
    amended = sum(_amend(value, unknown) for entity in copies for value in entity.values())
    return [*copies] if amended else None


def _amend(value: Any, unknown: frozenset[str]) -> bool:
    if is_array(value):
        return bool(sum(_amend(item, unknown) for item in value))
    if not is_object(value):
        return False
    # what a value holds inside is the user's own
    amended = bool(sum(_amend(inner, unknown) for name, inner in value.items() if name not in _MEMBERS))
    kind = _kind(value)
    if kind not in unknown:
        return amended
    value["value"] = value.pop(VALUE_MEMBERS[kind])
    if "type" in value:
        value["type"] = "Property"
    return True


def _kind(instance: dict[str, Any]) -> str:
    """Returns the kind of an attribute; the concise form leaves it to be seen from the members."""
    if "type" in instance:
        return str(instance["type"])
    return next((kind for kind in _SINCE if VALUE_MEMBERS[kind] in instance), "")
