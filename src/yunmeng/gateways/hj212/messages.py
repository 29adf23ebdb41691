"""What a line of HJ 212 says (clause 6.3)."""

from collections.abc import Mapping

import msgspec

ANSWERED, NUMBERED = 1, 2
"""Bits of ``flag``: an answer is wanted; the line is one of several (table 3). The others are the version."""

VERSION_2005, VERSION_2017, VERSION_2025 = 0, 4, 8

SYSTEM = "91"
"""ST of what centre and device tell each other."""

REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER, HEARTBEAT = "9011", "9012", "9013", "9014", "9015"


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One line; ``data`` is its segment as it stands between the length and the checksum.

    The other fields are read from it: request ``qn``, system ``st``, command ``cn``, password ``pw``, device
    ``mn``, ``flag``, and what stands between the double ampersands in ``cp``. ``lower`` tells that the
    checksum is written in small letters, ``end`` what follows it, ``counted`` a length in characters. Of an
    encrypted line ``plain`` is the segment that its checksum is of, empty of any other.
    """

    data: bytes
    qn: str = ""
    st: str = ""
    cn: str = ""
    pw: str = ""
    mn: str = ""
    flag: int = 0
    pnum: int = 0
    pno: int = 0
    cp: str = ""
    lower: bool = False
    end: bytes = b"\r\n"
    counted: int = -1
    plain: bytes = b""

    @property
    def version(self) -> int:
        """The bits of the standard's version."""
        return self.flag & ~(ANSWERED | NUMBERED)


def make_packet(
    cn: str, mn: str, *, qn: str = "", st: str = SYSTEM, pw: str = "", flag: int = VERSION_2017, cp: str = ""
) -> Packet:
    """Returns a line of our own."""
    head = {"QN": qn, "ST": st, "CN": cn, "PW": pw, "MN": mn}
    text = "".join(f"{name}={value};" for name, value in head.items() if value) + f"Flag={flag};CP=&&{cp}&&"
    return Packet(text.encode("utf-8"), qn, st, cn, pw, mn, flag, cp=cp)


def join_fields(fields: Mapping[str, object]) -> str:
    """Writes fields as they stand between the double ampersands."""
    return ";".join(f"{name}={value}" for name, value in fields.items())
