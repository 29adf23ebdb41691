"""The bus port 传: durable streams, and requests between processes. Engines: in memory, NATS JetStream."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from yunmeng.kernel.trust import Principal

StreamName = Literal["OBS", "CHG", "CMD", "ALR", "AUD"]

Handler = Callable[["Request"], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Stream:
    """A durable stream: every subject below ``<name in lower case>.`` belongs to it.

    A full stream either refuses (``Unavailable("bus.full")``, after dropping what every durable
    consumer has acknowledged) or drops its oldest messages; ``max_age_s`` of 0 keeps for ever.
    """

    name: StreamName
    max_bytes: int
    max_age_s: float = 0.0
    duplicate_window_s: float = 120.0
    when_full: Literal["refuse", "drop-oldest"] = "refuse"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a stream; ``position`` counts from 1 within the stream and never repeats."""

    subject: str
    data: bytes
    position: int
    principal: Principal
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a stream has come: ``last`` is its newest position ever given, 0 before the first.

    ``life`` stays over restarts; it is another one once the stream was lost and made anew, when positions
    begin again.
    """

    last: int
    life: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request between processes; the handler's answer goes back to the caller."""

    subject: str
    data: bytes
    principal: Principal


class Consumer(Protocol):
    """A durable consumer: what it has not acknowledged comes again when it is opened again.

    One process at a time holds a durable name. Positions only rise while it is open.
    """

    async def fetch(self, most: int, wait_s: float) -> Sequence[Message]:
        """Returns what is there, at most ``most``; waits up to ``wait_s`` for the first message.

        Empty when nothing came in time, also while the bus is away (it is waited for).
        """
        ...

    async def ack(self, position: int) -> None:
        """Acknowledges every message up to and including ``position``.

        While the bus is away the acknowledgement is kept and sent when it is back.
        """
        ...

    async def close(self) -> None:
        """Stops fetching; the durable position stays."""
        ...


class Bus(Protocol):
    """The bus of a node."""

    async def publish(self, subject: str, data: bytes, principal: Principal, *, key: str = "") -> int:
        """Appends to the stream that owns ``subject`` and returns its position once it is on disk.

        ``key`` makes a repeat within the duplicate window a no-op that returns the first position.
        Raises ``Unavailable("bus.full")`` when the stream may not grow, ``Unavailable("bus.down")``
        when the bus does not answer.
        """
        ...

    async def consumer(
        self, stream: StreamName, durable: str, *, subject: str = "", start: int = 0
    ) -> Consumer:
        """Opens a durable consumer, from position ``start`` (0: the first kept) when it is new."""
        ...

    async def read(self, stream: StreamName, first: int, last: int) -> Sequence[Message]:
        """Reads kept messages ``first..last`` (both included) again, without a consumer."""
        ...

    async def extent(self, stream: StreamName) -> Extent:
        """Returns how far a stream has come, and which life of it this is."""
        ...

    def follow(self, subject: str) -> AsyncGenerator[Message]:
        """Follows newly stored messages from this call on; drops the oldest when the reader is slow.

        Leave it with ``contextlib.aclosing`` or ``aclose()``.
        """
        ...

    async def request(
        self, subject: str, data: bytes, principal: Principal, *, timeout_s: float = 10.0
    ) -> bytes:
        """Asks whoever serves ``subject``; re-raises the handler's ``YunmengError`` at the caller.

        Raises ``Unavailable("bus.no-answer")`` when nobody answers in time (a server that starts in time
        still answers), ``Unavailable("bus.down")`` when the bus goes away.
        """
        ...

    async def serve(self, subject: str, handler: Handler) -> None:
        """Answers requests on ``subject`` (which may end in ``.>``); one of several servers gets each."""
        ...

    async def close(self) -> None:
        """Closes the connection."""
        ...
