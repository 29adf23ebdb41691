"""Mount points of a caster: who feeds them, who listens, and how far behind each may fall."""

import asyncio
from collections.abc import Mapping

from yunmeng.gateways.ntrip.http import chunk
from yunmeng.gateways.ntrip.status import Status

_PATIENCE_S = 60.0


class Rover:
    """Who listens: frames it cannot take in time are dropped whole, and counted."""

    def __init__(self, transport: asyncio.WriteTransport, *, chunked: bool, most: int) -> None:
        self._transport = transport
        self._chunked = chunked
        self._most = most
        self._stuck_since: float | None = None
        self.dropped = 0

    def send(self, frame: bytes) -> bool:
        """Sends a frame unless ``most`` bytes wait already; tells whether it was sent."""
        if self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() + len(frame) > self._most:
            self._drop()
            return False
        self._stuck_since = None
        self._transport.write(chunk(frame) if self._chunked else frame)
        return True

    def _drop(self) -> None:
        """Counts; a rover that took nothing for a minute is given up."""
        self.dropped += 1
        now = asyncio.get_running_loop().time()
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since > _PATIENCE_S:
            self._transport.abort()

    def end(self) -> None:
        """Hangs up; what waits is not sent any more when the rover takes nothing."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()


class Mount:
    """One mount point with a source."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rovers: set[Rover] = set()
        self.status = Status()
        self.dropped = 0

    def relay(self, frame: bytes) -> None:
        """Hands a frame to everybody who listens; nobody waits for anybody."""
        for rover in self.rovers:
            if not rover.send(frame):
                self.dropped += 1

    def load(self) -> Mapping[str, int]:
        """Returns the fields of ``[station]`` that the caster knows."""
        return {"rovers": len(self.rovers), "dropped": self.dropped}

    def row(self) -> str:
        """Returns the line of the sourcetable (NTRIP 2.0, 3.4.1), places to a hundredth of a degree."""
        status = self.status
        longitude, latitude = (0.0, 0.0) if status.position is None else status.position.geodetic()[:2]
        fields = (
            "STR",
            self.name,
            self.name,
            "RTCM 3.3",
            ",".join(map(str, status.types)),
            "2",
            "+".join(_SHORT.get(name, name) for name in status.constellations),
            "",
            "CHN",
            f"{latitude:.2f}",
            f"{longitude:.2f}",
            "0",
            "0",
            _plain(status.equipment.receiver if status.equipment else ""),
            "none",
            "B",
            "N",
            "0",
            "",
        )
        return ";".join(fields)


_SHORT = {"Galileo": "GAL", "GLONASS": "GLO", "BeiDou": "BDS", "NavIC": "IRN", "QZSS": "QZS"}


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isprintable() and each != ";")
