"""Plays data loggers of outlets and of air stations, over real sockets."""

import asyncio
import random
import time
from contextlib import suppress

from yunmeng.gateways.hj212.codec import Hj212Codec
from yunmeng.gateways.hj212.messages import (
    ANSWERED,
    DATA_ANSWER,
    REQUEST_ANSWER,
    RESULT,
    VERSION_2017,
    Packet,
    make_packet,
)
from yunmeng.gateways.hj212.readings import write_time
from yunmeng.kernel.base import now_us
from yunmeng.kernel.sense import Simulation

_PASSWORD = "123456"  # noqa: S105  (that of the standard's own examples)
_KINDS = {
    "32": {"w00000": (20.0, 5.0), "w01001": (7.2, 0.4), "w01018": (38.0, 8.0), "w21003": (2.1, 0.6)},
    "31": {"a00000": (15.0, 3.0), "a21026": (22.0, 6.0), "a21002": (38.0, 8.0), "a34013": (6.0, 2.0)},
    "22": {"a34004": (35.0, 12.0), "a34002": (58.0, 18.0), "a21004": (0.028, 0.009), "a21005": (0.8, 0.2)},
    "21": {"w01010": (18.0, 3.0), "w01001": (7.8, 0.2), "w01009": (8.1, 0.9), "w21011": (0.08, 0.02)},
}
_PATIENCE_S = 10.0


async def simulate(play: Simulation) -> int:
    """Plays the devices until the time is over; returns how many lines were answered."""
    random_of = random.Random(play.seed)  # noqa: S311
    seeds = [random_of.getrandbits(32) for _ in range(play.count)]
    async with asyncio.TaskGroup() as group:
        works = [
            group.create_task(Logger(play, number, seed).play()) for number, seed in enumerate(seeds, start=1)
        ]
    return sum(work.result() for work in works)


class Logger:
    """One device: sends values of now, answers requests."""

    def __init__(self, play: Simulation, number: int, seed: int) -> None:
        self._play = play
        self._mn = f"{play.seed & 0xFFFF:08X}{number:016X}"
        self._random = random.Random(seed)  # noqa: S311
        self._st = play.options.get("st") or list(_KINDS)[number % len(_KINDS)]
        self._codec = Hj212Codec()
        self._buffer = bytearray()
        self._interval = "30"
        self._sent, self._answered = 0, 0

    async def play(self) -> int:
        """Speaks until the time is over; returns how many lines were answered."""
        until = time.monotonic() + self._play.for_s if self._play.for_s else float("inf")
        await asyncio.sleep(self._random.random() * min(self._play.every_s, 5.0))
        reader, writer = await asyncio.open_connection(self._play.host, self._play.port)
        hearing = asyncio.create_task(self._hear(reader, writer))
        try:
            while time.monotonic() < until and not hearing.done():
                writer.write(self.report())
                await writer.drain()
                await asyncio.wait([hearing], timeout=min(self._play.every_s, until - time.monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    while self._answered < self._sent and not hearing.done():  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
        finally:
            hearing.cancel()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        return self._answered

    def report(self) -> bytes:
        """Writes the next line of values."""
        now = now_us()
        said = ";".join(
            f"{code}-Rtd={abs(self._random.gauss(middle, spread)):.3f},{code}-Flag=N"
            for code, (middle, spread) in _KINDS[self._st].items()
        )
        self._sent += 1
        packet = make_packet(
            "2011",
            self._mn,
            qn=write_time(now, milliseconds=True),
            st=self._st,
            pw=_PASSWORD,
            flag=VERSION_2017 | ANSWERED,
            cp=f"DataTime={write_time(now)};{said}",
        )
        return self._codec.encode(packet)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self._buffer += data
            for frame in self._codec.cut(self._buffer):
                message = self._codec.decode(frame)
                if message.cn == DATA_ANSWER:
                    self._answered += 1
                else:
                    writer.write(b"".join(map(self._codec.encode, self._obey(message))))

    def _obey(self, message: Packet) -> list[Packet]:
        def tell(cn: str, cp: str, st: str = "91") -> Packet:
            return make_packet(cn, self._mn, qn=message.qn, st=st, pw=_PASSWORD, cp=cp)

        if message.cn in ("2012", "2022"):
            return [tell("9013", "")]
        if message.cn == "1062":
            self._interval = message.cp.partition("=")[2]
        given = {"1061": f"RtdInterval={self._interval}", "1011": f"SystemTime={write_time(now_us())}"}
        said = [tell(message.cn, given[message.cn], self._st)] if message.cn in given else []
        return [tell(REQUEST_ANSWER, "QnRtn=1"), *said, tell(RESULT, "ExeRtn=1")]
