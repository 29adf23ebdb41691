"""Vehicles in a process of their own: ``python -m benchmarks.vehicles_process PORT VEHICLES REPORTS``.

Connects all of them and says so; on a line of input every vehicle sends its reports, and the time until the
last is acknowledged is said in seconds. With 0 reports each only says that it is there, and stays idle.
"""

import asyncio
import sys
import time
from typing import cast

import uvloop

from yunmeng.gateways.jt808.simulator import Terminal

_WINDOW = 20
"""Reports that a vehicle sends ahead of their acknowledgements."""


class Vehicle(asyncio.Protocol):
    """Sends packets, a window of them ahead; counts acknowledgements by their delimiters."""

    def __init__(self, packets: list[bytes]) -> None:
        self._packets = packets
        self._marks = 0
        self._sent = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def go(self) -> None:
        """Sends the first window."""
        self._send(_WINDOW)

    def data_received(self, data: bytes) -> None:
        self._marks += data.count(b"\x7e")
        acknowledged = self._marks // 2
        if acknowledged >= len(self._packets):
            if not self.done.done():
                self.done.set_result(None)
        elif acknowledged >= self._sent - _WINDOW // 2:
            self._send(acknowledged + _WINDOW - self._sent)

    def _send(self, count: int) -> None:
        if packets := self._packets[self._sent : self._sent + count]:
            self._sent += len(packets)
            self.transport.write(b"".join(packets))


async def play(port: int, count: int, reports: int) -> None:
    """Connects, waits for the word, drives."""
    loop = asyncio.get_running_loop()
    vehicles: list[Vehicle] = []
    for number in range(count):
        terminal = Terminal(number, 42)
        packets = [terminal.report() for _ in range(reports)] or [terminal.packet(0x0002)]
        source = (f"127.0.1.{number // 15_000 + 1}", 0)
        _, vehicle = await loop.create_connection(
            lambda packets=packets: Vehicle(packets), "127.0.0.1", port, local_addr=source
        )
        vehicles.append(vehicle)
        if not reports:
            vehicle.go()
            await vehicle.done
    print("connected", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began = time.perf_counter()
    if reports:
        for vehicle in vehicles:
            vehicle.go()
        await asyncio.gather(*[vehicle.done for vehicle in vehicles])
    print(time.perf_counter() - began, flush=True)
    for vehicle in vehicles:
        vehicle.transport.close()


if __name__ == "__main__":
    uvloop.run(play(*map(int, sys.argv[1:4])))
