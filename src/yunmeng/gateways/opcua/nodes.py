"""Node ids by namespace: numbers of namespaces are the server's own, and change with it."""

import re
from typing import Any

from yunmeng.gateways.opcua.library import asyncua
from yunmeng.kernel.base import BadInput

_BY_NAMESPACE = re.compile(r"nsu=([^;]+);(.+)", re.DOTALL)


def resolve(text: str, namespaces: list[str]) -> Any:
    """Returns the node id that a server knows. Raises ``BadInput("opcua.node")``."""
    found = _BY_NAMESPACE.fullmatch(text)
    if found is not None:
        if found[1] not in namespaces:
            raise BadInput("opcua.node", node=text, reason="namespace")
        text = f"ns={namespaces.index(found[1])};{found[2]}"
    ua = asyncua("ua")
    try:
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError) as cause:
        raise BadInput("opcua.node", node=text, reason=str(cause)) from cause


def name_of(id: Any, namespaces: list[str]) -> str:
    """Returns a node id with its namespace by name."""
    text = str(id.to_string())
    index = int(id.NamespaceIndex)
    return f"nsu={namespaces[index]};{text.partition(';')[2]}" if index and index < len(namespaces) else text
