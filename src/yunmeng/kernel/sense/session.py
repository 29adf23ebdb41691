"""One side of a conversation with a device, without any input or output."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Generic, Protocol, TypeVar

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense.codec import Codec
from yunmeng.kernel.sense.effects import Command, Effect, Refuse

Message = TypeVar("Message")


class Session(Protocol):
    """A conversation over one connection (or with one UDP peer). Times are microseconds since 1970 UTC."""

    def opened(self, at: int) -> Iterable[Effect]:
        """The connection is there; protocols in which we speak first begin here."""
        ...

    def received(self, data: bytes, at: int) -> Iterable[Effect]:
        """Bytes came, cut anywhere."""
        ...

    def kept(self, told: Hashable, at: int) -> Iterable[Effect]:
        """What was observed or refused under this name is on disk."""
        ...

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Somebody wants the device to do something; an ``Answer`` follows now or later."""
        ...

    def tick(self, at: int) -> Iterable[Effect]:
        """About a second has passed: time-outs, polls, retransmissions."""
        ...


class FrameSession(ABC, Generic[Message]):
    """A session over a codec: what does not decode is refused, what does is :meth:`heard`."""

    def __init__(self, codec: Codec[Message]) -> None:
        self.codec = codec
        self._buffer = bytearray()

    def opened(self, at: int) -> Iterable[Effect]:
        """Waits for the device to speak."""
        return ()

    def received(self, data: bytes, at: int) -> Iterable[Effect]:
        """Cuts, decodes and hears frame by frame."""
        self._buffer += data
        for frame in self.codec.cut(self._buffer):
            try:
                message = self.codec.decode(frame)
                effects = self.heard(message, frame, at)
            except BadInput as reason:
                yield self.refused(frame, reason)
            else:
                yield from effects

    @abstractmethod
    def heard(self, message: Message, frame: bytes, at: int) -> Iterable[Effect]:
        """Answers one message; returns a finished list, so that it is heard whole or refused whole."""
        ...

    def refused(self, frame: bytes, reason: BadInput) -> Refuse:
        """Returns what to do with a frame that cannot be taken; protocols with a negative answer add it."""
        return Refuse(frame, reason)

    def kept(self, told: Hashable, at: int) -> Iterable[Effect]:
        """Needs no word of it: the device was answered with the effect's own reply."""
        return ()

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Refuses: a protocol with commands says which it knows."""
        raise BadInput("command.unknown", name=command.name, known="-")

    def tick(self, at: int) -> Iterable[Effect]:
        """Has nothing to do."""
        return ()
