"""``resources.toml``: which resources hold what; data, not code.

A table is one kind of resource::

    [weather]                       # the table of mapping.toml that takes it, without mapping = "…"
    path = "sensors/{device}"       # devices post here; where we ask, the path at the device
    device = "meta.id"              # or: where the payload names it
    readings = "data"               # an array of readings, or one; the payload when left out
    time = "ts"                     # in the reading; "/ts" looks at the payload's root
    time_form = "ms"                # iso, beijing (text without a zone), s, ms, us, ns
    [weather.fields]                # field of mapping.toml = path in the reading
    temperature = "t"

Payloads are JSON or CBOR. SenML (RFC 8428) needs no paths: ``fields`` are then names of records, as they
stand behind the device's name; ``names`` says which part of a record's name is the device's.
Where we ask: ``every`` seconds between two questions, or ``observe = true``.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from yunmeng.kernel.base import BadInput, Broken
from yunmeng.kernel.sense import TimeForm

_NAME = re.compile(r"\{(\w+)\}")


class CommandRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a command is asked of the device; its payload is ``fixed`` and the arguments, or ``value``."""

    path: str
    method: Literal["GET", "POST", "PUT", "DELETE"] = "PUT"
    form: Literal["json", "cbor", "text", "none"] = "json"
    fixed: dict[str, Any] = {}


class ResourceRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of a resources file; ``sleeps`` keeps commands until the device speaks, for ``keep_s``.

    A device is awake for ``awake_s`` after it has spoken.
    """

    path: str
    fields: dict[str, str] = {}
    mapping: str = ""
    device: str = ""
    readings: str = ""
    time: str = ""
    time_form: TimeForm = "iso"
    name: str = ""
    value: str = ""
    names: str = ""
    observe: bool = False
    every: float = 0.0
    sleeps: bool = False
    awake_s: float = 10.0
    keep_s: float = 86_400.0
    commands: dict[str, CommandRow] = {}


class PathPattern:
    """Paths whose segments have names: ``sensors/{device}``. Raises ``BadInput("coap.path")``."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern.strip("/")
        self.stem = self.pattern.partition("{")[0].rstrip("/")
        text = "".join(
            f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part)
            for place, part in enumerate(_NAME.split(self.pattern))
        )
        try:
            self._expression = re.compile(text)
        except re.error as cause:
            raise BadInput("coap.path", path=pattern) from cause

    def match(self, path: str) -> dict[str, str] | None:
        """Returns the named parts of a path, None for one of others."""
        found = self._expression.fullmatch(path)
        return found.groupdict() if found else None

    def fill(self, names: Mapping[str, str]) -> str:
        """Returns the path with these parts. Raises ``BadInput("coap.path")``."""

        def part(found: re.Match[str]) -> str:
            value = names.get(found[1], "")
            if not value or "/" in value:
                raise BadInput("coap.path", path=self.pattern)
            return value

        return _NAME.sub(part, self.pattern)


def read_resources(file: Path) -> dict[str, ResourceRow]:
    """Reads a resources file. Raises ``Broken("mapping.bad")`` naming file and place."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), dict[str, ResourceRow])
    except (OSError, ValueError) as cause:
        raise Broken("mapping.bad", file=str(file), reason=str(cause)) from cause


def chosen_resources(options: Mapping[str, str]) -> dict[str, ResourceRow]:
    """Returns the tables that a place to listen names: of ``resources`` or our own, all or those of ``use``.

    Raises:
        BadInput: ``sense.option`` for a table that is none.
    """
    rows = read_resources(Path(options.get("resources") or Path(__file__).with_name("resources.toml")))
    wanted = [name for name in options.get("use", "").split(",") if name] or list(rows)
    for name in wanted:
        if name not in rows:
            raise BadInput("sense.option", name="coap", option="use", value=name)
    return {name: rows[name] for name in wanted}
