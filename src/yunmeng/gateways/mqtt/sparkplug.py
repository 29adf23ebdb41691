"""A primary host of Sparkplug B: edge nodes, their births, aliases, deaths (3.0.0, chapters 4 to 6)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from yunmeng.gateways.mqtt.messages import Publish
from yunmeng.gateways.mqtt.sparkplug_payload import (
    BOOLEAN,
    Metric,
    Payload,
    metric_of,
    quality_of,
    read_payload,
    refused,
    told_of,
    value_of,
    write_payload,
)
from yunmeng.gateways.mqtt.tables import TopicRow
from yunmeng.gateways.mqtt.topics import TopicPattern
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality, Reading
from yunmeng.kernel.sense import Command, Effect, Identify, InFlight, Lose, Send, Station, Value

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
_REBIRTH_US = 5_000_000
_WRITE_S = 10.0

Publishing = Callable[[Publish], bytes]


@dataclass(slots=True)
class EdgeNode:
    """What is known of an edge node since its birth; metrics by (device, name), "" being the node itself."""

    bd_seq: int | None = None
    seq: int = 255
    alive: bool = False
    asked_at: int = 0
    names: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict[tuple[str, str], Metric])
    devices: set[str] = field(default_factory=set[str])


def address(group: str, node: str, device: str = "") -> str:
    """Returns what an edge node or device is called here: ``group:node`` or ``group:node:device``."""
    return ":".join([group, node, device] if device else [group, node])


class SparkplugHost:
    """Hears edge nodes; asks for a new birth where it missed something."""

    def __init__(self, station: Station, rows: Mapping[str, TopicRow], publishing: Publishing) -> None:
        self._station = station
        self._rows = [(name, row, TopicPattern(row.sparkplug)) for name, row in rows.items()]
        self._fields = {name: {m: f for f, m in row.fields.items()} for name, row in rows.items()}
        self._publishing = publishing
        self._nodes: dict[tuple[str, str], EdgeNode] = {}
        self._places: dict[str, tuple[str, str, str]] = {}
        self._orders: InFlight[tuple[str, str]] = InFlight(_WRITE_S, 1)

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        found: list[str] = []
        for _, _, pattern in self._rows:
            group, node = [*pattern.filter.split("/"), "+"][:2]
            found.append(f"{NAMESPACE}/{group}/+/{node}/#")
        return found

    def knows(self, device: str) -> bool:
        """Tells whether this is an edge node or a device of one."""
        return device in self._places

    def heard(self, topic: str, data: bytes, at: int, effects: list[Effect], readings: list[Reading]) -> None:
        """Takes one message; adds what to do and what it said, also where the rest is refused.

        Raises:
            BadInput: ``frame.bad``, ``mqtt.topic`` and what mappings refuse.
        """
        parts = topic.split("/")
        if not 4 <= len(parts) <= 5 or (len(parts) == 5) != parts[2].startswith("D"):
            raise BadInput("mqtt.topic", topic=topic)
        kind, group, node, device = parts[2], parts[1], parts[3], parts[4] if len(parts) == 5 else ""
        if kind in ("NCMD", "DCMD"):  # what hosts say to nodes
            return
        if kind not in ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"):
            raise BadInput("mqtt.topic", topic=topic)
        payload = read_payload(data)
        edge = self._nodes.setdefault((group, node), EdgeNode())
        if kind == "NDEATH":
            effects += self._died(edge, group, node, payload)
            return
        effects += self._in_turn(edge, group, node, kind, payload, at)
        if kind == "DDEATH":
            edge.devices.discard(device)
            effects.append(Lose(address(group, node, device)))
            return
        birth = kind in ("NBIRTH", "DBIRTH")
        if birth:
            effects += self._born(edge, group, node, device, payload)
        said, done = self._read(edge, (group, node, device), payload, at, birth)
        readings += said
        effects += done

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Carries out ``write`` (``metric``, ``value``) or ``rebirth``; the next birth or data answers.

        Raises:
            BadInput: ``command.unknown``, ``command.arguments``.
        """
        group, node, device = self._places[command.device]
        edge = self._nodes[group, node]
        if command.name == "rebirth":
            return self._orders.send((command.device, REBIRTH), command, self._rebirth(group, node, at), at)
        if command.name != "write":
            raise BadInput("command.unknown", name=command.name, known="write, rebirth")
        name, value = str(command.arguments.get("metric")), command.arguments.get("value")
        born = edge.metrics.get((device, name))
        if born is None or not isinstance(value, bool | int | float | str):
            raise BadInput("command.arguments", name="write", reason=f"metric: {name}; value: {value!r}")
        metric = metric_of(
            None if born.alias is not None else name, born.alias, born.datatype or 0, value, at // 1000
        )
        kind = f"DCMD/{node}/{device}" if device else f"NCMD/{node}"
        payload = write_payload(Payload(at // 1000, (metric,)))
        data = self._publishing(Publish(f"{NAMESPACE}/{group}/{kind}", payload))
        return self._orders.send((command.device, name), command, data, at)

    def tick(self, at: int) -> Iterator[Effect]:
        """Gives up commands that nothing answered."""
        yield from self._orders.tick(at)

    def _in_turn(
        self, edge: EdgeNode, group: str, node: str, kind: str, payload: Payload, at: int
    ) -> Iterator[Effect]:
        """Checks the order (§6.4.3); who missed something, or the birth, asks for another."""
        expected, seq = (edge.seq + 1) & 0xFF, payload.seq
        if seq is None or seq > 255:
            raise refused(f"{kind} without a seq of 0 to 255")
        edge.seq = seq
        if kind == "NBIRTH":
            return
        if (not edge.alive or seq != expected) and at - edge.asked_at >= _REBIRTH_US:
            edge.asked_at = at
            yield Send(self._rebirth(group, node, at))

    def _rebirth(self, group: str, node: str, at: int) -> bytes:
        metric = metric_of(REBIRTH, None, BOOLEAN, value=True, timestamp=at // 1000)
        payload = write_payload(Payload(at // 1000, (metric,)))
        return self._publishing(Publish(f"{NAMESPACE}/{group}/NCMD/{node}", payload))

    def _born(self, edge: EdgeNode, group: str, node: str, device: str, payload: Payload) -> Iterator[Effect]:
        if not device:
            for lost in edge.devices:  # §6.4.19: its devices are born again, or are gone
                yield Lose(address(group, node, lost))
            edge.names, edge.metrics, edge.devices = {}, {}, set()
            edge.bd_seq, edge.alive = told_of(payload, "bdSeq"), True
        else:
            edge.devices.add(device)
        for metric in payload.metrics:
            if metric.name is None or metric.datatype is None:
                raise refused("a birth names every metric and its datatype")
            edge.metrics[device, metric.name] = metric
            if metric.alias is not None:
                edge.names[metric.alias] = (device, metric.name)
        known = address(group, node, device)
        self._places[known] = (group, node, device)
        yield Identify(known)
        if not device:
            yield from self._orders.answered((known, REBIRTH), {"reborn": True})

    def _died(self, edge: EdgeNode, group: str, node: str, payload: Payload) -> Iterator[Effect]:
        if edge.alive and told_of(payload, "bdSeq") != edge.bd_seq:
            return  # the will of an earlier connection (§6.4.21)
        for device in edge.devices:
            yield Lose(address(group, node, device))
        yield Lose(address(group, node))
        edge.alive, edge.devices = False, set()

    def _read(
        self, edge: EdgeNode, place: tuple[str, str, str], payload: Payload, at: int, birth: bool
    ) -> tuple[list[Reading], list[Effect]]:
        group, node, device = place
        name = address(group, node, device)
        row = self._row(group, node, device)
        together: dict[tuple[int, Quality], dict[str, Value]] = {}
        done: list[Effect] = []
        for metric in payload.metrics:
            called, datatype = self._called(edge, device, metric)
            field = row and self._fields[row].get(called)
            waited = not birth and (name, called) in self._orders
            if not field and not waited:
                continue
            value = value_of(metric, datatype)
            if waited:
                done += self._orders.answered((name, called), {"metric": called, "value": value})
            if field:
                stamp = metric.timestamp if metric.timestamp is not None else payload.timestamp
                when = (stamp * 1000 if stamp is not None else at, quality_of(metric))
                together.setdefault(when, {})[field] = value
        if not together or row is None:
            return [], done
        record = self._station.admit(name)
        table = (record and record.mapping) or {n: r.mapping or n for n, r, _ in self._rows}[row]
        mapper = self._station.mappers.get(table)
        if mapper is None:
            raise BadInput("mapping.absent", gateway="mqtt", name=table)
        home = record.division if record else ""
        return [
            mapper.reading(name, when, fields, division=home, quality=quality)
            for (when, quality), fields in together.items()
        ], done

    def _called(self, edge: EdgeNode, device: str, metric: Metric) -> tuple[str, int]:
        """Returns name and datatype of a metric, from the birth where it says only its alias."""
        name = metric.name
        if name is None and metric.alias is not None:
            owner, name = edge.names.get(metric.alias, ("", None))
            name = name if owner == device else None
        if name is None:
            raise refused(f"alias {metric.alias} before its birth")
        born = edge.metrics.get((device, name))
        return name, metric.datatype if metric.datatype is not None else (born and born.datatype) or 0

    def _row(self, group: str, node: str, device: str) -> str | None:
        topic = f"{group}/{node}/{device}" if device else f"{group}/{node}"
        return next((name for name, _, pattern in self._rows if pattern.match(topic) is not None), None)
