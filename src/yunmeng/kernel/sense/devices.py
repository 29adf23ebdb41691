"""The devices that are registered here: who may connect, what each is, and where its values go."""

import hmac
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from hashlib import sha256

import msgspec

from yunmeng.kernel.keeper import RecordNote
from yunmeng.kernel.link import Bus, record_subject
from yunmeng.kernel.store import StateReader

DEVICES = "device"
"""The kind of the records; a record's id is :func:`device_id`."""


class DeviceRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a gateway has to know of one device.

    ``address`` is what the device calls itself (terminal number, meter address, station code); ``division``
    a GB/T 2260 code, ``mapping`` the table of ``mapping.toml`` it speaks by; ``key`` is the SHA-256 of its
    credential in hex; ``options`` are the protocol's own (dialect, password by reference, register map), and
    ``entity``, the URN of a registered entity that takes its values in place of one named after the address.
    """

    gateway: str
    address: str
    division: str = ""
    tenant: str = ""
    mapping: str = ""
    state: str = "active"
    key: str = ""
    options: Mapping[str, str] = {}

    @property
    def admitted(self) -> bool:
        """Whether it may speak: retired and suspended devices may not."""
        return self.state not in ("retired", "suspended")

    def accepts(self, credential: str) -> bool:
        """Tells whether this is its credential; a device without one accepts any."""
        given = sha256(credential.encode()).hexdigest()
        return not self.key or hmac.compare_digest(self.key, given)


def device_id(gateway: str, address: str) -> str:
    """Returns the id of a device's record."""
    return f"{gateway}:{address}"


class Devices:
    """The registered devices of this node, in memory, kept up to date from the bus."""

    def __init__(self, records: Iterable[DeviceRecord] = ()) -> None:
        self._known = {device_id(record.gateway, record.address): record for record in records}
        self.moves = 0
        """How often a device was given to another entity: who remembers entities forgets them then."""

    def find(self, gateway: str, address: str) -> DeviceRecord | None:
        """Returns the device of this address, or None when nobody registered it."""
        return self._known.get(device_id(gateway, address))

    def entity(self, gateway: str, address: str) -> str:
        """Returns the entity that takes a device's values, empty when it is named after the address."""
        return _entity(self.find(gateway, address))

    def of(self, gateway: str) -> list[DeviceRecord]:
        """Returns the devices that one gateway may speak with."""
        return [each for each in self._known.values() if each.gateway == gateway and each.admitted]

    async def load(self, state: StateReader) -> None:
        """Reads every record."""
        for record in await state.records(DEVICES):
            self._known[record.id] = msgspec.json.decode(record.body, type=DeviceRecord)

    async def follow(self, bus: Bus, state: StateReader) -> None:
        """Keeps up with changes until it is cancelled."""
        async with aclosing(bus.follow(record_subject(DEVICES))) as notes:
            await self.load(state)
            async for note in notes:
                await self._renew(msgspec.msgpack.decode(note.data, type=RecordNote), state)

    async def _renew(self, note: RecordNote, state: StateReader) -> None:
        record = await state.record(DEVICES, note.tenant, note.id)
        before = self._known.pop(note.id, None)
        if record is not None:
            self._known[note.id] = msgspec.json.decode(record.body, type=DeviceRecord)
        if _entity(before) != _entity(self._known.get(note.id)):
            self.moves += 1


def _entity(record: DeviceRecord | None) -> str:
    return record.options.get("entity", "") if record is not None else ""
