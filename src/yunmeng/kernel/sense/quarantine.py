"""What was set aside 隔离区: read again, and sent in once more."""

from base64 import b64decode

import msgspec

from yunmeng.kernel.keeper import Quarantined
from yunmeng.kernel.link import Bus
from yunmeng.kernel.sense.hub import FrameReport
from yunmeng.kernel.store import Record
from yunmeng.kernel.trust import Principal

_FRAMES = "sense."


def held_of(record: Record) -> Quarantined:
    """Returns what a record of the quarantine holds."""
    return msgspec.json.decode(record.body, type=Quarantined)


def is_frame(held: Quarantined) -> bool:
    """Tells a frame, as a device sent it, from a batch of observations."""
    return held.subject.startswith(_FRAMES)


async def send_again(bus: Bus, held: Quarantined, principal: Principal) -> tuple[str, ...]:
    """Sends one in once more; returns why it is still refused, nothing when it was taken.

    A frame goes to its gateway, which says at once what it thinks; a batch to the bus, and if it still cannot
    be stored, it comes back under a new id.

    Raises:
        Unavailable: ``bus.no-answer`` when its gateway does not run.
    """
    raw = b64decode(held.raw)
    if not is_frame(held):
        await bus.publish(held.subject, raw, principal)
        return ()
    answer = await bus.request(held.subject, msgspec.msgpack.encode([raw]), principal)
    return msgspec.msgpack.decode(answer, type=FrameReport).refused
