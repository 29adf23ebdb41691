"""Plays a receiver on the Yangtze: vessels between Yichang and Wuhan, a buoy and the station itself."""

import asyncio
import math
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

from yunmeng.gateways.ais.codec import AisCodec, tagged
from yunmeng.gateways.ais.decoding import need_pyais
from yunmeng.gateways.ais.messages import Sentence
from yunmeng.kernel.sense import Simulation

_RIVER = (
    (111.28, 30.69),
    (111.46, 30.39),
    (112.19, 30.30),
    (112.41, 29.72),
    (113.13, 29.47),
    (113.87, 29.97),
    (114.29, 30.55),
)
"""The fairway: Yichang, Zhicheng, Jingzhou, Shishou, Chenglingji, Jiayu, Wuhan."""

_STATION, _BUOY = 4_132_001, 994_131_001
_STATIC_S = 360.0
_KNOTS_TO_DEGREES_S = 1.852 / 3600 / 104
"""One degree is about 104 km here, on the mean of both directions."""


class Ship:
    """One vessel that goes up and down the river."""

    def __init__(self, number: int, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self.mmsi = 413_760_000 + number
        self.name = f"CHANG JIANG {number:04d}"
        self._kind = chance.choice((70, 79, 80, 60, 52))
        self._draught = chance.uniform(2.0, 5.5)
        self._knots = chance.uniform(5.0, 12.0)
        self._way = chance.uniform(0, _LENGTH * 2)
        self.told_at = -math.inf

    def move(self, seconds: float) -> None:
        """Goes on for so long."""
        self._way = (self._way + self._knots * _KNOTS_TO_DEGREES_S * seconds) % (_LENGTH * 2)

    def position(self, now: float) -> dict[str, Any]:
        """Returns its message 1."""
        is_down = self._way < _LENGTH
        place, course = _at(self._way if is_down else 2 * _LENGTH - self._way)
        course = course if is_down else (course + 180) % 360
        return {
            "type": 1,
            "mmsi": self.mmsi,
            "status": 0,
            "speed": round(self._knots, 1),
            "lon": place[0],
            "lat": place[1],
            "course": round(course, 1) % 360,
            "heading": round(course) % 360,
            "second": int(now) % 60,
        }

    def static(self) -> dict[str, Any]:
        """Returns its message 5."""
        return {
            "type": 5,
            "mmsi": self.mmsi,
            "callsign": f"B{self.mmsi % 10_000:04d}",
            "shipname": self.name,
            "ship_type": self._kind,
            "to_bow": 80,
            "to_stern": 30,
            "to_port": 8,
            "to_starboard": 8,
            "draught": round(self._draught, 1),
            "destination": "WUHAN",
        }


async def simulate(play: Simulation) -> int:
    """Plays the receiver until the time is over; returns how many messages it told.

    Raises:
        Unavailable: ``sense.extra`` without pyais.
    """
    need_pyais()
    ships = [Ship(number, play.seed + number) for number in range(1, play.count + 1)]
    line = await _open(play)
    began, told = time.monotonic(), 0
    try:
        while not play.for_s or time.monotonic() - began < play.for_s:
            for message in _round(ships, play.every_s):
                line.write(message)
                told += 1
                await line.drain()
            await asyncio.sleep(play.every_s)
    finally:
        await line.close()
    return told


def _round(ships: list[Ship], seconds: float) -> Iterator[bytes]:
    now = time.time()
    moment = time.gmtime(now)
    names = ("year", "month", "day", "hour", "minute", "second")
    clock = dict(zip(names, moment[:6], strict=True))
    yield _sentences({"type": 4, "mmsi": _STATION, "lon": 114.29, "lat": 30.58, "epfd": 7, **clock}, now)
    buoy = {"type": 21, "mmsi": _BUOY, "aid_type": 24, "name": "HANKOU 12", "lon": 114.30, "lat": 30.59}
    yield _sentences({**buoy, "second": moment.tm_sec}, now)
    for ship in ships:
        ship.move(seconds)
        yield _sentences(ship.position(now), now)
        if now - ship.told_at >= _STATIC_S:
            ship.told_at = now
            yield _sentences(ship.static(), now)


def _sentences(message: dict[str, Any], now: float) -> bytes:
    from pyais import encode_dict

    codec, text = AisCodec(), bytearray()
    for place, raw in enumerate(encode_dict(message, talker_id="AI", sentence_type="VDM", seq_id=1)):
        sentence = codec.decode(raw.encode())
        if isinstance(sentence, Sentence):
            text += codec.encode(sentence if place else tagged(sentence, s="yangtze", c=int(now))) + b"\r\n"
    return bytes(text)


def _legs() -> Iterator[tuple[float, tuple[float, float], tuple[float, float]]]:
    for here, there in pairwise(_RIVER):
        yield math.dist(here, there), here, there


_LENGTH = sum(size for size, _, _ in _legs())


def _at(way: float) -> tuple[tuple[float, float], float]:
    """Returns the place after so many degrees of river, and the course downstream there."""
    legs = list(_legs())
    while len(legs) > 1 and way > legs[0][0]:
        way -= legs.pop(0)[0]
    size, here, there = legs[0]
    part = min(1.0, way / size)
    east, north = there[0] - here[0], there[1] - here[1]
    course = math.degrees(math.atan2(east * math.cos(math.radians(here[1])), north)) % 360
    return (round(here[0] + east * part, 6), round(here[1] + north * part, 6)), course


class _Line:
    """Where the receiver speaks to: a TCP connection or datagrams."""

    def __init__(self, tcp: asyncio.StreamWriter | None, udp: asyncio.DatagramTransport | None) -> None:
        self._tcp = tcp
        self._udp = udp

    def write(self, data: bytes) -> None:
        """Says one message."""
        if self._tcp is not None:
            self._tcp.write(data)
        elif self._udp is not None:
            self._udp.sendto(data)

    async def drain(self) -> None:
        """Waits while the other side does not take it."""
        if self._tcp is not None:
            await self._tcp.drain()

    async def close(self) -> None:
        """Ends it."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            with suppress(ConnectionError):
                await self._tcp.wait_closed()


async def _open(play: Simulation) -> _Line:
    if play.transport == "udp":
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(play.host, play.port)
        )
        return _Line(None, udp)
    _, tcp = await asyncio.open_connection(play.host, play.port)
    return _Line(tcp, None)
