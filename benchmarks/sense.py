"""Gateways: frames of field protocols to packed observations, and a TCP gateway with many vehicles.

Rates "a core" count processor time, so that a busy machine says the same as an idle one.
"""

import sys
import time
from collections.abc import Callable

from benchmarks.figures import Figure
from yunmeng.gateways.jt808.session import Jt808Session
from yunmeng.gateways.jt808.simulator import Terminal
from yunmeng.kernel.base import now_us, packages
from yunmeng.kernel.model import Reading, encode_batch, load_types, make_batch_of
from yunmeng.kernel.sense import Devices, Mapper, Observe, Session, Station, read_mapping

VEHICLES, REPORTS = 500, 40
_CHUNK, _PACK = 64 << 10, 1_000


def station(gateway: str) -> Station:
    """What a session of this gateway knows: its own mapping, no registered devices."""
    folders = {package.id: package.folder for package in packages()}
    types = load_types(list(folders.values()))
    tables = read_mapping(folders[gateway] / "mapping.toml")
    mappers = {
        name: Mapper(table, types, gateway=gateway, division="420100") for name, table in tables.items()
    }
    return Station(gateway, "420100", "bench", mappers, Devices())


def frames_a_core(session: Session, stream: bytes, frames: int) -> float:
    """Hears a stream in chunks, packs what was read as a gateway does; returns frames a second of a core."""
    waiting: list[Reading] = []
    rows = readings = 0
    began = time.process_time()
    for start in range(0, len(stream), _CHUNK):
        for effect in session.received(stream[start : start + _CHUNK], now_us()):
            if isinstance(effect, Observe):
                waiting += effect.readings
                rows += sum(len(reading.series) for reading in effect.readings)
                readings += 1
                if rows >= _PACK:
                    encode_batch(make_batch_of(waiting, gateway="bench", received_at=now_us()))
                    waiting, rows = [], 0
    took = time.process_time() - began
    assert readings == frames, f"{readings} of {frames} frames were understood"
    return frames / took


def best(measure: Callable[[], float], rounds: int = 3) -> float:
    """The best of a few rounds: what disturbs only makes slower."""
    return max(measure() for _ in range(rounds))


def jt808() -> Figure:
    """JT/T 808 location reports with four additional items."""
    terminals = [Terminal(number, 42) for number in range(VEHICLES)]
    stream = b"".join(terminal.report() for _ in range(REPORTS) for terminal in terminals)
    of = station("jt808")
    return Figure(
        "sense.jt808",
        best(lambda: frames_a_core(Jt808Session(of), stream, VEHICLES * REPORTS)),
        "frames/s a core",
        {"bytes a frame": len(stream) / VEHICLES / REPORTS},
    )


def run() -> list[Figure]:
    """Measures every gateway that the goals name."""
    return [jt808()]


if __name__ == "__main__":
    for figure in run():
        print(figure, file=sys.stdout)
