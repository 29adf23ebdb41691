"""A receiver of notifications as a process of its own: ``python -m benchmarks.notify_receiver PORT``.

It answers each POST at once and keeps what it was told; ``GET /`` says how many posts, rows, different rows.
"""

import asyncio
import sys
from typing import Any

import msgspec
import uvloop


class Row(msgspec.Struct):
    id: str
    power: dict[str, Any]


class Notification(msgspec.Struct):
    subscriptionId: str  # noqa: N815
    data: list[Row]


_notification = msgspec.json.Decoder(Notification).decode


class Told:
    def __init__(self) -> None:
        self.posts = self.rows = 0
        self.different: set[tuple[str, str, object]] = set()

    def take(self, body: bytes) -> None:
        told = _notification(body)
        self.posts += 1
        self.rows += len(told.data)
        self.different.update((told.subscriptionId, row.id, row.power["value"]) for row in told.data)

    def counts(self) -> bytes:
        return b"%d %d %d" % (self.posts, self.rows, len(self.different))


class Connection(asyncio.Protocol):
    def __init__(self, told: Told) -> None:
        self.told, self.buffer = told, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            if head.startswith(b"GET"):
                counts, self.buffer = self.told.counts(), rest
                self.transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(counts), counts)
                )
                continue
            length = int(head.lower().rpartition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.told.take(rest[:length])
            self.buffer = rest[length:]
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def serve(port: int) -> None:
    told = Told()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(told), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
