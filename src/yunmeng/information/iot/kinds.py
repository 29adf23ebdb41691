"""Kinds of devices: a template each, as data (``kinds.toml``)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput, nearest


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
