"""What a caller may take of the edge: sizes in bytes, times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a connection.

    ``head`` bounds the line of a request with its headers, ``headers`` how many there are, ``ahead`` how
    much of a body waits for the application, ``queued`` how many requests wait for the answer before theirs,
    ``connections`` how many callers there are at once.

    ``head_s`` is for a head from its first byte on, ``idle_s`` for the time between requests, ``body_s`` for
    a body that says nothing new, ``slowest`` the least bytes a second of a long body, ``write_s`` for one
    who takes nothing, ``linger_s`` for what still comes of a body that nobody wants, ``grace_s`` for answers
    under way at a stop.
    """

    head: int = 64 << 10
    headers: int = 200
    ahead: int = 256 << 10
    queued: int = 16
    connections: int = 10_000
    head_s: float = 10.0
    idle_s: float = 75.0
    body_s: float = 30.0
    slowest: int = 500
    write_s: float = 60.0
    linger_s: float = 10.0
    grace_s: float = 4.0
