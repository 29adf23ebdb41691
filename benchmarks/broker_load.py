"""Batches of template entities, written into sockets: ``python -m benchmarks.broker_load PORT ENTITIES``.

Only ready bytes are put together here, so that the load costs a tenth of what it causes.
"""

import selectors
import socket
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice

PER_BATCH, SENDERS = 1_000, 8
# so many are put together before the clock runs, the others as they go
_AHEAD = 100
PLACES = 1_000

_AT = "2026-11-01T04:00:00Z"
TEMPLATE = (
    (
        '{{"id":"urn:ngsi-ld:Meter:{0:08d}","type":"Meter",'
        '"power":[{{"type":"Property","value":{1},"unitCode":"KWT","observedAt":"{at}"}},'
        '{{"type":"Property","value":{2},"unitCode":"KWT","observedAt":"{at}","datasetId":"urn:ngsi-ld:Dataset:backup"}}],'
        '"voltage":[{{"type":"Property","value":{3},"unitCode":"VLT","observedAt":"{at}"}},'
        '{{"type":"Property","value":219.5,"unitCode":"VLT","observedAt":"{at}","datasetId":"urn:ngsi-ld:Dataset:backup"}}],'
        '"temperature":{{"type":"Property","value":21.5,"unitCode":"CEL","observedAt":"{at}"}},'
        '"status":{{"type":"Property","value":"s{4}"}},'
        '"name":{{"type":"Property","value":"meter number {0} of the northern district"}},'
        '"note":{{"type":"Property","value":"{note}"}},'
        '"maker":{{"type":"Relationship","object":"urn:ngsi-ld:Maker:{5}"}},'
        '"location":{{"type":"GeoProperty","value":{{"type":"Point","coordinates":[{6:.6f},{7:.6f}]}}}}}}'
    )
    .replace("{at}", _AT)
    .replace("{note}", "installed and checked by the district office, " * 13)
)


def entity(number: int) -> str:
    """About 1.5 kB: six properties, two of them with two instances, a relationship, a point."""
    east = 108.5 + number * 7919 % 750_000 / 100_000
    north = 29.1 + number * 104_729 % 400_000 / 100_000
    return TEMPLATE.format(
        number,
        number * 13 % 1_000_000 / 1_000,
        number % 997,
        220 + number % 7,
        number % 20_000,
        number % 50,
        east,
        north,
    )


def bodies(entities: int) -> Iterator[bytes]:
    """Yields requests, each with a batch."""
    for first in range(0, entities, PER_BATCH):
        body = "[" + ",".join([entity(n) for n in range(first, min(first + PER_BATCH, entities))]) + "]"
        data = body.encode()
        head = (
            "POST /ngsi-ld/v1/entityOperations/upsert HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        yield head.encode() + data


def main(port: int, entities: int) -> float:
    """Keeps a batch under way on each of a few connections; returns how many seconds that took."""
    rest = bodies(entities)
    waiting = chain(list(islice(rest, _AHEAD)), rest)
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(SENDERS):
            connection = socket.create_connection(("127.0.0.1", port))
            if (request := next(waiting, None)) is not None:
                connection.sendall(request)
                selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                _take_answer(connection)
                if (request := next(waiting, None)) is None:
                    selector.unregister(connection)
                else:
                    connection.sendall(request)
    return time.perf_counter() - began


def _take_answer(connection: socket.socket) -> None:
    data = connection.recv(1 << 20)
    head, _, body = data.partition(b"\r\n\r\n")
    if head[9:12] not in (b"201", b"204"):
        raise AssertionError(data[:2000])
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            left = int(line.partition(b":")[2]) - len(body)
            while left > 0:
                left -= len(connection.recv(1 << 20))


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2])))
