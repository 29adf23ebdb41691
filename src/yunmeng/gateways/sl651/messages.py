"""What an SL 651 frame says, and the control characters around it (clause 6.2)."""

import msgspec

SOH, STX, ETX, EOT, ENQ, ACK, NAK, SYN, ETB, ESC = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x16, 0x17, 0x1B

ENDS = frozenset((ETX, ETB, ENQ, EOT, ACK, NAK, ESC))

LINK, TEST, SERIES, TIMED, EXTRA, HOURLY, MANUAL, PICTURE = range(0x2F, 0x37)
"""The reports of stations (annex B)."""

REPORTS = frozenset((TEST, SERIES, TIMED, EXTRA, HOURLY, MANUAL, PICTURE))

Value = float | int | str | None


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame; ``station`` is the address of five bytes in hex, as it stands on the line.

    ``down`` frames come from the centre. A packet of several (M3) has ``total`` above 0. ``tail`` are bytes
    that a dialect appends after the checksum, ``lower`` an ASCII frame that writes hex in small letters.
    """

    station: str
    function: int
    body: bytes
    centre: int = 1
    password: int = 0
    down: bool = False
    end: int = ETX
    total: int = 0
    number: int = 0
    ascii: bool = False
    lower: bool = False
    tail: bytes = b""


class Group(msgspec.Struct, gc=False):
    """Elements of one station that were observed at one moment (microseconds UTC).

    ``gates`` are those of single gates or conduits, which may repeat.
    """

    station: str
    kind: str
    observed_at: int
    fields: dict[str, Value]
    gates: list[dict[str, Value]] = []


class Series(msgspec.Struct, gc=False):
    """Values of one element at moments of their own."""

    station: str
    kind: str
    name: str
    values: list[tuple[int, Value]]


class Report(msgspec.Struct, gc=False):
    """What the text of an uplink frame says (tables 24 to 49); times are microseconds UTC."""

    serial: int
    sent_at: int
    groups: list[Group] = []
    series: list[Series] = []
    manual: str | None = None
    picture: bytes | None = None
