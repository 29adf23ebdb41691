"""What a server holds, as the beginning of a table of points: attributes are left for people to fill in."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

from yunmeng.gateways.opcua.calling import open_client
from yunmeng.gateways.opcua.library import asyncua
from yunmeng.gateways.opcua.nodes import name_of
from yunmeng.kernel.base import BadInput, unit
from yunmeng.kernel.sense import Listen

COLUMNS: tuple[str, ...] = (
    "table",
    "type",
    "field",
    "name",
    "attribute",
    "unit",
    "deadband",
    "sampling",
    "access",
    "object",
)
_MOST_NODES = 100_000
_MOST_DEEP = 20


async def browse(listen: Listen) -> str:
    """Returns every variable and method below the server's objects as CSV; the server's own are left out.

    Raises:
        Unavailable: ``sense.extra``, ``opcua.security``; what the library raises when nobody answers.
    """
    client = await open_client(listen)
    await client.connect()
    try:
        namespaces = [str(name) for name in await client.get_namespace_array()]
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        seen: set[str] = set()
        async for row in _rows(client.get_objects_node(), namespaces, "", seen, 0):
            writer.writerow(row)
        return out.getvalue()
    finally:
        await client.disconnect()


async def _rows(
    node: Any, namespaces: list[str], path: str, seen: set[str], deep: int
) -> AsyncIterator[dict[str, str]]:
    ua = asyncua("ua")
    kinds = ua.NodeClass.Object | ua.NodeClass.Variable | ua.NodeClass.Method
    for found in await node.get_children_descriptions(nodeclassmask=kinds):
        id = found.NodeId
        name = name_of(id, namespaces)
        # a graph: the same node may hang in several places, even below itself
        if not int(id.NamespaceIndex) or name in seen or len(seen) >= _MOST_NODES:
            continue
        seen.add(name)
        child, title = node.new_node(node.session, id), str(found.DisplayName.Text or "")
        if found.NodeClass is ua.NodeClass.Variable:
            yield await _variable(child, path, name, title)
        elif found.NodeClass is ua.NodeClass.Method:
            yield {"table": path, "field": name, "name": title, "access": "call"}
        elif deep < _MOST_DEEP:
            below = f"{path}/{title}".strip("/")
            async for row in _rows(child, namespaces, below, seen, deep + 1):
                yield row


async def _variable(node: Any, path: str, name: str, title: str) -> dict[str, str]:
    ua = asyncua("ua")
    row = {"table": path, "field": name, "name": title, "unit": await _unit(node)}
    if ua.AccessLevel.CurrentWrite in await node.get_user_access_level():
        row["access"] = "write"
    return row


async def _unit(node: Any) -> str:
    """Returns the UN/CEFACT code in which a variable is told (OPC 10000-8 §5.6.3), empty when none stands."""
    ua = asyncua("ua")
    try:
        told: Any = await (await node.get_child("0:EngineeringUnits")).read_value()
    except ua.UaStatusCodeError:
        return ""
    number = int(getattr(told, "UnitId", 0) or 0)
    code = number.to_bytes(4, "big").lstrip(b"\0").decode("ascii", "replace") if 0 < number < 2**31 else ""
    try:
        return unit(code).code
    except BadInput:
        return ""
