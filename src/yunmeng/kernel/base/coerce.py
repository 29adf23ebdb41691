"""Turns what a file, a variable or an argument says into the type that a setting has."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin

from yunmeng.kernel.base.errors import BadInput
from yunmeng.kernel.base.secret import Secret

_BOOLEANS = MappingProxyType(
    {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
)
# scheme://user:password@host
_INLINE_PASSWORD = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#@]*:[^/?#@]+@", re.IGNORECASE)


def coerce(
    name: str, kind: Any, bounds: Mapping[str, Any], value: object, where: str, folder: Path
) -> object:
    """Returns the value as the setting's type; text becomes a number or a boolean only where one is wanted.

    Raises:
        BadInput: ``settings.type``, ``settings.range``, ``settings.choice``, ``settings.url_secret``,
            ``settings.secret``.
    """
    choices = get_args(kind) if get_origin(kind) is not None else ()
    if choices:
        if value not in choices:
            raise BadInput("settings.choice", key=name, value=value, choices=choices, where=where)
        return value
    try:
        typed = _typed(kind, value, folder)
    except BadInput as cause:
        raise BadInput("settings.secret", key=name, where=where) from cause
    if typed is None:
        raise BadInput("settings.type", key=name, value=_safe(kind, value), wanted=kind.__name__, where=where)
    if isinstance(typed, str) and _INLINE_PASSWORD.match(typed):
        raise BadInput("settings.url_secret", key=name, where=where)
    if isinstance(typed, int | float) and not bounds.get("low", typed) <= typed <= bounds.get("high", typed):
        raise BadInput(
            "settings.range", key=name, value=typed, low=bounds["low"], high=bounds["high"], where=where
        )
    return typed


def _typed(kind: Any, value: object, folder: Path) -> object | None:
    if isinstance(value, str):
        return _from_text(kind, value, folder)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if type(value) is kind else None


def _from_text(kind: Any, text: str, folder: Path) -> object | None:
    if kind is str:
        return text
    if kind is Secret:
        return Secret(text)
    if kind is Path:
        return folder / Path(text).expanduser() if text else None
    if kind is bool:
        return _BOOLEANS.get(text.strip().lower())
    try:
        return kind(text)
    except ValueError:
        return None


def _safe(kind: Any, value: object) -> object:
    return "…" if kind is Secret else value
