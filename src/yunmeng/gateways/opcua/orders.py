"""Commands for a server: values to write, methods to call; only those that the table of points allows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from yunmeng.gateways.opcua.library import asyncua, failures
from yunmeng.gateways.opcua.nodes import resolve
from yunmeng.gateways.opcua.points import Point
from yunmeng.gateways.opcua.values import plain
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import Command, Value

_KNOWN = ("write", "call", "read")


class Orders:
    """Carries out commands over one connection."""

    def __init__(self, client: Any, points: Sequence[Point], nodes: Mapping[Point, Any], device: str) -> None:
        self._client = client
        self._points = {point.node: point for point in points}
        self._nodes = nodes
        self._device = device

    async def command(self, command: Command) -> Mapping[str, Any]:
        """Writes (``node``, ``value``), calls (``node``, ``arguments``) or reads (``node``).

        Raises:
            BadInput: ``command.unknown``, ``command.arguments``.
            Unavailable: ``command.refused`` with the server's status, ``command.timeout``.
        """
        if command.name not in _KNOWN:
            raise BadInput("command.unknown", name=command.name, known=", ".join(_KNOWN))
        point = self._point(command)
        work = {"write": self._write, "call": self._call, "read": self._read}[command.name]
        ua = asyncua("ua")
        try:
            return await work(point, command)
        except ua.UaStatusCodeError as cause:
            reason = type(cause).__name__
            raise Unavailable(
                "command.refused", device=self._device, name=command.name, reason=reason
            ) from cause
        except failures() as cause:
            raise Unavailable("command.timeout", device=self._device) from cause

    def _point(self, command: Command) -> Point:
        point = self._points.get(str(command.arguments.get("node")))
        wanted = {"write": "write", "call": "call"}.get(command.name)
        if point is None or point not in self._nodes or (wanted and point.access != wanted):
            able = [name for name, each in self._points.items() if wanted is None or each.access == wanted]
            raise BadInput(
                "command.arguments", name=command.name, reason=f"node: {', '.join(able[:20]) or '-'}"
            )
        return point

    async def _write(self, point: Point, command: Command) -> Mapping[str, Any]:
        ua, node = asyncua("ua"), self._client.get_node(self._nodes[point])
        kind: Any = await node.read_data_type_as_variant_type()
        value = _typed(command, command.arguments.get("value"), kind)
        # servers refuse times that they did not set themselves (OPC 10000-4 §5.10.4)
        await node.write_attribute(ua.AttributeIds.Value, ua.DataValue(ua.Variant(value, kind)))
        return {"node": point.node, "value": plain(point.node, await node.read_value())}

    async def _read(self, point: Point, command: Command) -> Mapping[str, Any]:
        node = self._client.get_node(self._nodes[point])
        return {"node": point.node, "value": plain(point.node, await node.read_value())}

    async def _call(self, point: Point, command: Command) -> Mapping[str, Any]:
        method = self._client.get_node(self._nodes[point])
        given = command.arguments.get("arguments", [])
        values = cast("list[Any]", given) if isinstance(given, list) else [given]
        kinds = await self._kinds(method)
        if len(values) != len(kinds):
            raise BadInput("command.arguments", name=command.name, reason=f"arguments: {len(kinds)}")
        ua = asyncua("ua")
        typed = [
            ua.Variant(_typed(command, value, kind), kind) for value, kind in zip(values, kinds, strict=True)
        ]
        owner: Any = await self._owner(point, method)
        result: Any = await owner.call_method(method, *typed)
        results = (
            cast("list[Any]", result) if isinstance(result, list) else [] if result is None else [result]
        )
        return {"node": point.node, "result": [plain(point.node, each) for each in results]}

    async def _owner(self, point: Point, method: Any) -> Any:
        if point.object:
            namespaces = [str(name) for name in await self._client.get_namespace_array()]
            return self._client.get_node(resolve(point.object, namespaces))
        return await method.get_parent()

    async def _kinds(self, method: Any) -> list[Any]:
        ua = asyncua("ua")
        try:
            told: Any = await (await method.get_child("0:InputArguments")).read_value()
        except ua.UaStatusCodeError:
            return []
        return [ua.datatype_to_varianttype(each.DataType) for each in cast("list[Any]", told or [])]


def _typed(command: Command, raw: Any, kind: Any) -> Value | bool:
    """Returns a value as the node's type wants it. Raises ``BadInput("command.arguments")``."""
    name = str(kind.name)
    try:
        value = _converted(name, raw)
    except (TypeError, ValueError, OverflowError) as cause:
        raise BadInput("command.arguments", name=command.name, reason=f"{raw}: {name}") from cause
    # 1.5 is no whole number, and 7 no truth
    if value is None or (name != "String" and value != float(raw)):
        raise BadInput("command.arguments", name=command.name, reason=f"{raw}: {name}")
    return value


def _converted(name: str, raw: Any) -> Value | bool:
    if name == "Boolean":
        return bool(raw)
    if name in ("Float", "Double"):
        return float(raw)
    if "Int" in name or name == "Byte":
        return int(raw)
    return str(raw) if name == "String" else None
