"""Kinds of devices: a template each, as data (``kinds.toml``)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput, nearest

_ALL = {name: f"{{{name}}}" for name in ("url", "version", "sha256", "size", "signature")}


class Upgrade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How devices of a kind are told to take firmware, and how they are asked which they have.

    ``arguments`` may name {url}, {version}, {sha256}, {size}, {signature}, {name}. Where ``ask`` is a
    command, ``member`` of its result is the version; else the device's entity has to say it. Where
    ``answered`` is true, the answer to the command is all that ever comes. ``failed`` is what the device's
    ``firmwareProgress`` says when it has given up.
    """

    command: str = "firmware"
    arguments: dict[str, str] = msgspec.field(default_factory=lambda: dict(_ALL))
    ask: str = ""
    member: str = "firmware"
    answered: bool = False
    failed: tuple[str, ...] = ()


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """A kind of device; ``reports_every`` is in seconds, 0 when it does not report by itself.

    ``configure`` is its protocol's command for settings.
    """

    zh: str
    en: str
    class_: str
    protocol: str = ""
    reports_every: float = 0.0
    configure: str = "configure"
    firmware: Upgrade = Upgrade()


@cache
def kinds() -> dict[str, Kind]:
    """Returns every kind by its id."""
    table = tomllib.loads(Path(__file__).with_name("kinds.toml").read_text(encoding="utf-8"))
    return msgspec.convert(table, dict[str, Kind])


def kind(id: str) -> Kind:
    """Returns one kind. Raises ``BadInput("iot.kind")`` with the nearest."""
    found = kinds().get(id)
    if found is None:
        raise BadInput("iot.kind", kind=id, nearest=nearest(id, kinds()) or "-")
    return found


def template(device: Mapping[str, Any]) -> Kind:
    """Returns the template of a device as the register has it; a bare one for a device nobody registered."""
    return kinds().get(str(device.get("deviceKind")), Kind("", "", ""))
