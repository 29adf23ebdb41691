"""The load of the crash test, and the memory of what was promised: acknowledged packs, answered writes."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

import msgspec
import numpy as np
from tests.kernel.keeper.conftest import OPERATOR

from yunmeng.kernel.base import Unavailable, now_us
from yunmeng.kernel.keeper import WRITE, WriteReply, WriteRequest
from yunmeng.kernel.link import NatsBus, obs_subject
from yunmeng.kernel.model import (
    DIVISION,
    Append,
    Create,
    Delete,
    ObservationBatch,
    Operation,
    Series,
    Upsert,
    encode_batch,
)
from yunmeng.kernel.trust import Reach

METER, POWER = "https://w3id.org/yunmeng/Meter", "https://w3id.org/yunmeng/power"
GATE, LIMIT = "https://w3id.org/yunmeng/Gate", "https://w3id.org/yunmeng/limit"
METERS, ROWS = 600, 250


def series(number: int) -> Series:
    """One meter."""
    return Series(f"urn:ngsi-ld:Meter:{number:05d}", POWER, METER, "420100", "KWT", True)


class Sensors:
    """Publishes packs without a pause; row ``n`` (value and microsecond ``n``) is of meter ``n % METERS``."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self.began = now_us() - 3_600_000_000
        self.stopped = False
        self.next = 0
        self.acknowledged: list[range] = []
        self.last_position = 0

    async def publish_forever(self) -> None:
        """Sends pack after pack, each until the bus has acknowledged it."""
        while not self.stopped:
            rows = range(self.next, self.next + ROWS)
            self.next += ROWS
            await self._publish(rows)
            await asyncio.sleep(0.05)

    async def _publish(self, rows: range) -> None:
        data = encode_batch(self._pack(rows))
        while True:
            try:
                position = await self._bus.publish(
                    obs_subject("", "crash"), data, OPERATOR, key=f"pack-{rows.start}"
                )
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                self.acknowledged.append(rows)
                self.last_position = max(self.last_position, position)
                return

    def _pack(self, rows: range) -> ObservationBatch:
        numbers = np.array(rows, np.int64)
        meters, index = np.unique(numbers % METERS, return_inverse=True)
        return ObservationBatch(
            tenant="",
            gateway="crash",
            received_at=now_us(),
            series=tuple(series(meter) for meter in meters.tolist()),
            index=index.astype(np.uint32),
            observed_at=self.began + numbers,
            number=numbers.astype(np.float64),
            quality=np.zeros(len(numbers), np.uint8),
        )


@dataclass
class Gate:
    """One entity that a client writes to: what it was answered, and what it never heard of."""

    id: str
    version: int | None = None
    answered: list[int] = field(default_factory=list)
    unheard: set[int] = field(default_factory=set)
    deleted: int = 0
    deletes_unheard: int = 0


class Clients:
    """Write without a pause, each to its own gate; no value is written twice."""

    def __init__(self, bus: NatsBus, random: Random) -> None:
        self._bus = bus
        self._random = random
        self._next = 0
        self._asking: set[asyncio.Future[bytes]] = set()
        self.stopped = False
        self.gates: list[Gate] = []
        self.refused: defaultdict[str, int] = defaultdict(int)

    def give_up(self) -> None:
        """Ends every call on its way, as its keeper is gone: the client never hears what became of it."""
        for call in self._asking:
            call.cancel()

    async def write_forever(self, number: int) -> None:
        """Is one client."""
        gate = Gate(f"urn:ngsi-ld:Gate:{number:03d}")
        self.gates.append(gate)
        while not self.stopped:
            await self._step(gate, *self._choose(gate))
        # The last word is one that was heard, so that the state must be this and nothing else.
        while not await self._step(gate, *self._upsert(gate)):
            await asyncio.sleep(0.05)

    def _choose(self, gate: Gate) -> tuple[Operation, int | None]:
        choice = self._random.random()
        if choice < 0.15:
            return Delete(gate.id), None
        version = self._new()
        if choice < 0.5:
            return Append(gate.id, {LIMIT: [{"type": "Property", "value": version}]}), version
        if choice < 0.7:
            return Create(document(gate.id, version)), version
        return Upsert(document(gate.id, version), "update"), version

    def _upsert(self, gate: Gate) -> tuple[Operation, int | None]:
        version = self._new()
        return Upsert(document(gate.id, version), "update"), version

    def _new(self) -> int:
        self._next += 1
        return self._next

    async def _step(self, gate: Gate, operation: Operation, version: int | None) -> bool:
        request = msgspec.msgpack.encode(WriteRequest(Reach(), (operation,)))
        call = asyncio.ensure_future(self._bus.request(WRITE, request, OPERATOR, timeout_s=5))
        self._asking.add(call)
        try:
            answer = msgspec.msgpack.decode(await call, type=WriteReply).outcomes[0]
        except (Unavailable, asyncio.CancelledError):
            self._unheard(gate, version)
            await asyncio.sleep(0.02)
            return False
        finally:
            self._asking.discard(call)
        if answer.done == "refused":
            self.refused[answer.error] += 1
            return False
        self._heard(gate, version)
        return True

    def _unheard(self, gate: Gate, version: int | None) -> None:
        if version is None:
            gate.deletes_unheard += 1
        else:
            gate.unheard.add(version)

    def _heard(self, gate: Gate, version: int | None) -> None:
        gate.version = version
        if version is None:
            gate.deleted += 1
        else:
            gate.answered.append(version)


def document(id: str, version: int) -> dict:
    """A gate in stored form."""
    return {
        "id": id,
        "type": [GATE],
        LIMIT: [{"type": "Property", "value": version}],
        DIVISION: [{"type": "Property", "value": "420100"}],
    }
