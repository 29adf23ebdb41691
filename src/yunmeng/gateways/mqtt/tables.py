"""``topics.toml``: which topics hold what; data, not code.

A table is one kind of message::

    [weather]                            # the table of mapping.toml that takes it, without mapping = "…"
    topic = "sensors/{device}/telemetry" # {device} names the sender
    device = "meta.id"                  # or: where the payload names it
    readings = "data"                    # an array of readings, or one; the payload when left out
    time = "ts"                          # in the reading; "/ts" looks at the payload's root
    time_form = "ms"                     # iso, beijing (text without a zone), s, ms, us, ns
    [weather.fields]                     # field of mapping.toml = path in the reading
    temperature = "env.t"

``name`` and ``value`` instead of single paths: each reading is one field, ``{"n": "t", "v": 21.5}``.
``sparkplug = "{group}/{node}/{device}"`` instead of ``topic``: the edge nodes and devices of a Sparkplug
network; the fields are then names of metrics.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from yunmeng.kernel.base import BadInput, Broken
from yunmeng.kernel.sense import TimeForm


class CommandRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a command is published, and where its answer comes; without ``response`` the broker's word is it.

    The payload is ``fixed``, the arguments, the command's name at ``name`` and its id at ``correlation``,
    which the answer repeats; an empty ``correlation`` takes the next answer of the device.
    """

    topic: str
    response: str = ""
    correlation: str = "id"
    name: str = "command"
    error: str = "error"
    wait_s: float = 10.0
    attempts: int = 1
    fixed: dict[str, Any] = {}


class TopicRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of a topics file."""

    fields: dict[str, str] = {}
    topic: str = ""
    sparkplug: str = ""
    mapping: str = ""
    device: str = ""
    readings: str = ""
    time: str = ""
    time_form: TimeForm = "iso"
    name: str = ""
    value: str = ""
    retained: bool = True
    qos: Literal[0, 1] = 1
    commands: dict[str, CommandRow] = {}


def read_topics(file: Path) -> dict[str, TopicRow]:
    """Reads a topics file. Raises ``Broken("mapping.bad")`` naming file and place."""
    try:
        rows = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), dict[str, TopicRow])
    except (OSError, ValueError) as cause:
        raise Broken("mapping.bad", file=str(file), reason=str(cause)) from cause
    for name, row in rows.items():
        if bool(row.topic) == bool(row.sparkplug):
            raise Broken("mapping.bad", file=str(file), reason=f"{name}: topic / sparkplug")
        if row.topic and "{device}" not in row.topic and not row.device:
            raise Broken("mapping.bad", file=str(file), reason=f"{name}: {{device}}")
    return rows


def chosen_topics(options: "dict[str, str] | Any") -> dict[str, TopicRow]:
    """Returns the tables that a place to listen names: of ``topics`` or our own, all or those of ``use``.

    Raises:
        BadInput: ``sense.option`` for a table that is none.
    """
    rows = read_topics(Path(options.get("topics") or Path(__file__).with_name("topics.toml")))
    wanted = [name for name in options.get("use", "").split(",") if name] or list(rows)
    for name in wanted:
        if name not in rows:
            raise BadInput("sense.option", name="mqtt", option="use", value=name)
    return {name: rows[name] for name in wanted}
