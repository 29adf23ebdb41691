"""Entities as the register's answers show them: names and plain values."""

from typing import Any, cast

import msgspec

from yunmeng.kernel.model import Context, Document, compact_entity


def plain(body: bytes, context: Context) -> dict[str, Any]:
    """Returns a stored document in simplified form, times as text and JSON as it is."""
    document = msgspec.json.decode(body, type=Document)
    found = compact_entity(document, context, "simplified")
    return {name: _unwrapped(value) for name, value in found.items()}


def _unwrapped(value: object) -> object:
    """Returns the JSON of a JsonProperty and the text of a time, which the simplified form wraps (§4.5.4)."""
    if not isinstance(value, dict):
        return value
    wrapped = cast("dict[str, object]", value)
    if wrapped.keys() == {"json"}:
        return wrapped["json"]
    return wrapped["@value"] if wrapped.keys() == {"@type", "@value"} else wrapped
