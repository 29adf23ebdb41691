"""How commands name devices: by id, by address at a gateway, or by what they have in common."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import click
import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.node.cli.calling import Node

_P = ParamSpec("_P")
_R = TypeVar("_R")

CONDITIONS = {
    "kind": "Kind 类别, e.g. vehicle-terminal; see `yunmeng devices kinds`.",
    "division": "Division 区划 (GB/T 2260) and all in it.",
    "gateway": "Protocol 协议, e.g. jt808.",
    "lifecycle": "registered, active, suspended or retired.",
    "state": "online or offline.",
    "manufacturer": "Manufacturer 厂家.",
    "model": "Model 型号.",
    "firmware": "Firmware version 固件版本.",
    "owner": "Owning department 权属部门.",
    "tag": "Tag 标签.",
}


def condition_options(
    command: Callable[Concatenate[Node, dict[str, Any], _P], _R],
) -> Callable[Concatenate[Node, _P], _R]:
    """Adds an option a condition, and hands over those that were given."""

    @wraps(command)
    def wrapped(node: Node, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        given = {name: kwargs.pop(f"by_{name}", "") for name in CONDITIONS}
        return command(node, {name: value for name, value in given.items() if value}, *args, **kwargs)

    decorated: Callable[..., Any] = wrapped
    for name, about in reversed(CONDITIONS.items()):
        decorated = click.option(f"--{name}", f"by_{name}", default="", help=about)(decorated)
    return cast("Callable[Concatenate[Node, _P], _R]", decorated)


def selected(devices: Iterable[str], conditions: Mapping[str, Any], *, all_: bool) -> dict[str, Any]:
    """Returns the selection of a command. Raises ``BadInput("cli.no-devices")`` when nothing was named."""
    ids = [full_id(device) for device in devices]
    chosen = {**({"ids": ids} if ids else {}), **conditions, **({"all": True} if all_ else {})}
    if not chosen:
        raise BadInput("cli.no-devices")
    return chosen


def full_id(device: str) -> str:
    """Returns the id of a device's entity; ``jt808:013800138000`` is enough."""
    return device if device.startswith("urn:") else f"urn:ngsi-ld:Device:{device}"


def pairs(given: Iterable[str]) -> dict[str, Any]:
    """Reads NAME=VALUE; a value that is JSON (a number, a list) is taken as such.

    Raises:
        BadInput: ``cli.pair``.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput("cli.pair", given=text)
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
