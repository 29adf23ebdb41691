"""A short way from the socket to a callback, put in the place of nats-py's parser.

nats-py tries up to seven patterns on each message, queues it and wakes a task for it: 30 µs. Here a message
of a subscription with a lane goes straight to its receiver, in the order of arrival and without a queue that
could overflow; pings, errors and the server's news go to nats-py as before.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

_log = logging.getLogger(__name__)
_END = b"\r\n"
_VERSION = len("NATS/1.0")
_NONE: Mapping[str, str] = {}


class Frame(NamedTuple):
    """A message as it came off the wire; ``status`` is 0 for data."""

    subject: str
    reply: str
    data: bytes
    headers: Mapping[str, str]
    status: int


Receiver = Callable[[Frame], None]


class LaneParser:
    """Parses what the server sends; has the two methods that nats-py calls on its own parser."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.lanes: dict[int, Receiver] = {}
        self.reset()

    def reset(self) -> None:
        """Forgets half a message; called at every reconnection."""
        self._buffer = bytearray()
        self._needed = 0

    async def parse(self, data: bytes = b"") -> None:
        """Takes what came and hands on every whole message in it."""
        buffer = self._buffer
        buffer += data
        if len(buffer) < self._needed:
            return
        self._needed = start = 0
        while (end := buffer.find(_END, start)) >= 0:
            line = bytes(buffer[start:end])
            if line[:1] not in (b"M", b"H"):
                start = end + 2
                await self._control(line)
                if self._buffer is not buffer:
                    return
                continue
            stop = end + 2 + int(line[line.rindex(b" ") :])
            if len(buffer) < stop + 2:
                self._needed = stop + 2 - start
                break
            with memoryview(buffer) as view:
                body = bytes(view[end + 2 : stop])
            start = stop + 2
            self._message(line, body)
        del buffer[:start]

    def _message(self, line: bytes, body: bytes) -> None:
        operation, subject, sid, *rest = line.decode().split()
        lane = self.lanes.get(int(sid))
        if lane is None:
            return
        if operation == "MSG":
            frame = Frame(subject, rest[0] if len(rest) == 2 else "", body, _NONE, 0)
        else:
            size = int(rest[-2])
            headers, status = parse_headers(body[:size])
            frame = Frame(subject, rest[0] if len(rest) == 3 else "", body[size:], headers, status)
        try:
            lane(frame)
        except Exception:  # noqa: BLE001 - one receiver's failure must not end the connection of all
            _log.exception("the receiver of %s failed", subject)

    async def _control(self, line: bytes) -> None:
        word = line[:4].upper()
        if word == b"PING":
            await self._client._process_ping()
        elif word == b"PONG":
            await self._client._process_pong()
        elif word == b"-ERR":
            await self._client._process_err(line[4:].strip().decode(errors="replace").lower())
        elif word == b"INFO":
            await self._client._process_info(msgspec.json.decode(line[4:]))


def parse_headers(block: bytes) -> tuple[Mapping[str, str], int]:
    """Reads a header block; returns the headers and the status of its first line (0 when it has none)."""
    first, *lines = block.decode(errors="replace").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name] = value.strip()
    code, _, description = first[_VERSION:].strip().partition(" ")
    if description:
        headers["Description"] = description
    return headers, int(code) if code.isdigit() else 0
