"""What was missed while a server was not to be reached, where it keeps a history (OPC 10000-11)."""

import logging
from collections.abc import Mapping
from typing import Any

from yunmeng.gateways.opcua.intake import Intake
from yunmeng.gateways.opcua.library import asyncua
from yunmeng.gateways.opcua.points import Point
from yunmeng.kernel.base import from_us, now_us

_AHEAD_US = 3_600_000_000
"""A server's clock may be ahead of ours."""

_log = logging.getLogger("yunmeng.sense")


async def missed(intake: Intake, nodes: Mapping[Point, Any], client: Any) -> None:
    """Takes from the server's history what came since each node's newest value."""
    ua = asyncua("ua")
    for point, id in nodes.items():
        since = intake.since(point.node) if point.table else None
        if since is None:
            continue
        node = client.get_node(id)
        try:
            if ua.AccessLevel.HistoryRead not in await node.get_access_level():
                continue
            start, end = from_us(since), from_us(now_us() + _AHEAD_US)
            values: Any = await node.read_raw_history(start, end, return_bounds=False)
        except ua.UaStatusCodeError as error:
            _log.info("%s: no history of %s: %s", intake.device, point.node, error)
            continue
        for value in values:
            await intake.take(point.node, value)
