"""What stands on the line: sentences of IEC 61162-1 with a tag block of NMEA 0183 4.10 before them."""

from collections.abc import Mapping

import msgspec


class Sentence(msgspec.Struct, frozen=True, gc=False):
    """One sentence !xxVDM or !xxVDO: part ``number`` of ``total`` of a message.

    ``tag`` is the block before it without backslashes, ``talker`` two letters, ``formatter`` VDM (by radio)
    or VDO (the station's own); ``sequence`` tells messages of several parts apart, ``channel`` is that
    of the radio, ``fill`` the bits to leave out at the end; ``check`` stands as it came, and ``tail`` is what
    some receivers write behind it.
    """

    payload: str
    talker: str = "AI"
    formatter: str = "VDM"
    total: int = 1
    number: int = 1
    sequence: str = ""
    channel: str = "A"
    fill: int = 0
    check: str = ""
    tail: str = ""
    tag: str = ""

    @property
    def tags(self) -> Mapping[str, str]:
        """The tag block's values by their letter: ``c`` time, ``s`` source, ``g`` group."""
        return dict(part.split(":", 1) for part in self.tag.partition("*")[0].split(",") if ":" in part)


class Foreign(msgspec.Struct, frozen=True, gc=False):
    """A whole sentence of another kind, such as a receiver's alarms; it holds no message of a ship."""

    text: str
