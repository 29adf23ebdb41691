"""What every field protocol gives: bytes → frames → messages → bytes, without any input or output."""

from typing import Protocol, TypeVar

from yunmeng.kernel.base import BadInput

Message = TypeVar("Message")


class Codec(Protocol[Message]):
    """One protocol's wire form, without state; encoding what was decoded gives the same bytes."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes whole frames off the front of the buffer; an unfinished one stays.

        Noise that cannot become a frame comes out too, so that :meth:`decode` refuses it with its reason:
        nothing is dropped silently. What stays is never longer than the protocol's longest frame.
        """
        ...

    def decode(self, frame: bytes) -> Message:
        """Reads one frame. Raises ``BadInput("frame.…")`` with the reason."""
        ...

    def encode(self, message: Message) -> bytes:
        """Writes one frame."""
        ...


def bad_frame(protocol: str, reason: str) -> BadInput:
    """Returns the error of a frame that breaks its protocol."""
    return BadInput("frame.bad", protocol=protocol, reason=reason)


def bad_checksum(protocol: str, found: int, expected: int) -> BadInput:
    """Returns the error of a frame whose checksum is wrong."""
    return BadInput("frame.checksum", protocol=protocol, found=f"{found:X}", expected=f"{expected:X}")
