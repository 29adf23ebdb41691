"""What the nodes of one server say, on its way to the bus."""

from collections.abc import Mapping
from typing import Any

from yunmeng.gateways.opcua.points import Point
from yunmeng.gateways.opcua.values import read_value
from yunmeng.kernel.base import BadInput, now_us
from yunmeng.kernel.sense import Hub, Observe


class Intake:
    """Takes values of nodes once, and remembers since when each is known."""

    def __init__(self, hub: Hub, points: Mapping[str, Point], history_s: float = 0.0) -> None:
        self._hub = hub
        self._points = points
        self._history_us = int(history_s * 1e6)
        self._newest: dict[str, int] = {}
        self._refused: set[str] = set()
        self.device = hub.listen.options.get("device") or hub.listen.name

    def since(self, node: str) -> int | None:
        """Returns since when values of a node may have been missed, None when none is asked for."""
        if node in self._newest:
            return self._newest[node]
        return now_us() - self._history_us if self._history_us else None

    async def take(self, node: str, data: Any) -> None:
        """Takes one ``DataValue`` as soon as there is room."""
        try:
            value, quality, moment = read_value(node, data, now_us())
            point = self._points[node]
            mapper = self._hub.mappers[point.table]
            reading = mapper.reading(f"{self.device}:{point.table}", moment, {node: value}, quality=quality)
        except BadInput as reason:
            self.refuse(node, reason)
            return
        # the subscription and the history may both bring it
        await self._hub.sink.room()
        self._hub.observe(Observe((reading,), key=(self.device, node, moment, value, quality)))
        self._newest[node] = max(self._newest.get(node, 0), moment)

    def refuse(self, node: str, reason: BadInput) -> None:
        """Puts a node into quarantine with its reason, once."""
        if node not in self._refused:
            self._refused.add(node)
            self._hub.sink.refuse(node.encode(), reason, self.device)
