"""The five streams of a node, and how they share the room that the settings give the bus."""

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.link.port import Stream, StreamName

_GIB = 1024**3
_DAY = 86_400.0


def sized_streams(max_bytes: int) -> tuple[Stream, ...]:
    """Divides ``max_bytes`` of disk among the streams.

    What nothing else holds (observations, commands, audit events) refuses when full; changes and alerts,
    which state and history hold as well, drop their oldest and expire.
    """
    return (
        Stream("OBS", max_bytes // 2),
        Stream("CHG", max_bytes // 4, max_age_s=7 * _DAY, when_full="drop-oldest"),
        Stream("CMD", max_bytes // 16),
        Stream("ALR", max_bytes // 16, max_age_s=30 * _DAY, when_full="drop-oldest"),
        Stream("AUD", max_bytes // 8),
    )


STREAMS = sized_streams(8 * _GIB)


def owning_stream(subject: str, streams: dict[StreamName, Stream]) -> Stream:
    """Returns the stream that keeps ``subject``; ``BadInput("bus.bad-subject")`` when none does."""
    first, _, rest = subject.partition(".")
    for stream in streams.values():
        if rest and stream.name.lower() == first and not set(rest) & set("*> \t\r\n"):
            return stream
    raise BadInput("bus.bad-subject", subject=subject)
