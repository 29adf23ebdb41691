"""Light context sources in one process: ``python -m benchmarks.source_process COUNT ENTITIES``.

Each listens at a port of its own and has ready answers; the ports are printed in one line.
"""

import asyncio
import json
import signal
import sys

import uvloop

AT = "2026-11-01T04:00:00Z"


def meter(source: int, number: int) -> dict[str, object]:
    """About 0.5 kB with five attributes, the times of the system among them."""
    times = {"createdAt": AT, "modifiedAt": AT}
    return {
        "id": f"urn:ngsi-ld:Meter:{source:02d}-{number:04d}",
        "type": "Meter",
        **times,
        "power": {"type": "Property", "value": number / 7, "unitCode": "KWT", "observedAt": AT, **times},
        "voltage": {"type": "Property", "value": 220.5, "unitCode": "VLT", "observedAt": AT, **times},
        "name": {"type": "Property", "value": f"meter {number}", **times},
        "maker": {"type": "Relationship", "object": f"urn:ngsi-ld:Maker:{number % 50}", **times},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [114.0 + source / 100, 30.5]},
            **times,
        },
    }


class Source(asyncio.Protocol):
    """Answers every request of a connection with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer * data.count(b"\r\n\r\n"))


async def serve(count: int, entities: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    ports: list[int] = []
    for source in range(count):
        body = json.dumps([meter(source, number) for number in range(entities)]).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = head.encode() + body
        server = await loop.create_server(lambda answer=answer: Source(answer), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await stop.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
