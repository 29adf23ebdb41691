"""What a session wants done: it decides, whoever carries it moves the bytes."""

from collections.abc import Hashable, Mapping
from typing import Any

import msgspec

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.model import Reading


class Command(msgspec.Struct, frozen=True):
    """An order for a device: ``name`` and ``arguments`` are those of the protocol's gateway."""

    id: str
    device: str
    name: str
    arguments: Mapping[str, Any] = {}


class Send(msgspec.Struct, frozen=True, gc=False):
    """Bytes for the device, at once."""

    data: bytes


class Observe(msgspec.Struct, frozen=True, gc=False):
    """Readings to keep; ``reply`` is sent to the device only once the bus has them on disk.

    What comes again under the same ``key``, such as (station, sequence, time), is answered, not kept twice.
    A session that acknowledges by counting says its number as ``told``: it hears of it in ``Session.kept``.
    ``entities`` are described with them, as by :class:`Describe`; reply and number wait for both.
    """

    readings: tuple[Reading, ...]
    reply: bytes = b""
    key: Hashable = None
    told: Hashable = None
    entities: tuple[dict[str, Any], ...] = ()


class Locate(msgspec.Struct, frozen=True, gc=False):
    """Where a thing is: longitude and latitude in degrees as they arrived, at microseconds UTC."""

    entity: str
    type: str
    division: str
    longitude: float
    latitude: float
    observed_at: int


class Describe(msgspec.Struct, frozen=True):
    """What a device says of itself: NGSI-LD bodies in simplified form, to add to their entities.

    ``reply`` is sent once they are stored.
    """

    entities: tuple[dict[str, Any], ...]
    reply: bytes = b""


class Keep(msgspec.Struct, frozen=True):
    """A file that a device sent, such as a picture; ``reply`` is sent once it is stored."""

    name: str
    media_type: str
    data: bytes
    reply: bytes = b""


class Refuse(msgspec.Struct, frozen=True):
    """A frame that cannot be taken: it goes to quarantine with its reason; ``reply`` once it lies there.

    ``told`` is as in :class:`Observe`.
    """

    frame: bytes
    reason: YunmengError
    reply: bytes = b""
    told: Hashable = None


class Identify(msgspec.Struct, frozen=True):
    """The connection is that of this device from now on; commands for it come here."""

    device: str


class Lose(msgspec.Struct, frozen=True):
    """This device of the connection answers no more; commands for it fail until it is identified again."""

    device: str


class Answer(msgspec.Struct, frozen=True):
    """How a command ended: its result, or why it failed."""

    command: str
    result: Mapping[str, Any] = {}
    error: YunmengError | None = None


class Close(msgspec.Struct, frozen=True):
    """The connection is to end, after what was sent."""


Effect = Send | Observe | Locate | Describe | Keep | Refuse | Identify | Lose | Answer | Close
