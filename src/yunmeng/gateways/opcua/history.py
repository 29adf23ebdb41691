"""What was missed while a server was not to be reached, where it keeps a history (OPC 10000-11)."""

import logging
from collections.abc import Mapping
from typing import Any

from yunmeng.gateways.opcua.intake import Intake
from yunmeng.gateways.opcua.library import asyncua, failures
from yunmeng.gateways.opcua.points import Point
from yunmeng.kernel.base import from_us, now_us

_AHEAD_US = 3_600_000_000
"""A server's clock may be ahead of ours."""

_log = logging.getLogger("yunmeng.sense")


async def missed(intake: Intake, nodes: Mapping[Point, Any], client: Any) -> None:
    """Takes from the server's history what came since each node's newest value."""
    for point, id in nodes.items():
        since = intake.since(point.node) if point.table else None
        if since is None:
            continue
        try:
            await _missed(intake, point.node, client.get_node(id), since)
        except failures() as error:  # whoever has no history is followed all the same
            _log.info("%s: no history of %s: %s", intake.device, point.node, error or type(error).__name__)


async def _missed(intake: Intake, name: str, node: Any, since: int) -> None:
    ua = asyncua("ua")
    if ua.AccessLevel.HistoryRead not in await node.get_access_level():
        return
    wanted = ua.ReadRawModifiedDetails(
        IsReadModified=False,
        StartTime=from_us(since),
        EndTime=from_us(now_us() + _AHEAD_US),
        ReturnBounds=False,
    )
    point: bytes | None = None
    while True:
        # the server says how much it tells at once, and where it goes on (OPC 10000-11 §6.3)
        result: Any = await node.history_read(wanted, point)
        result.StatusCode.check()
        for value in result.HistoryData.DataValues:
            await intake.take(name, value)
        before, point = point, result.ContinuationPoint
        if not point or point == before:
            return
