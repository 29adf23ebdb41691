"""Recorded frames, a line each: hex, or JSON ``{"frame": "7e02…", "at": "2026-07-01T08:00:00Z"}``."""

from collections.abc import Iterable, Iterator

import msgspec

from yunmeng.kernel.base import BadInput, YunmengError, instant_us


class Recorded(msgspec.Struct, frozen=True):
    """One recorded frame; ``at`` is when it came, in microseconds UTC, None when nobody wrote it down."""

    frame: bytes
    at: int | None = None


class _Line(msgspec.Struct, frozen=True):
    frame: str
    at: str = ""


def read_recording(lines: Iterable[str]) -> Iterator[Recorded]:
    """Reads a recording; empty lines and those that begin with ``#`` are comments.

    Raises:
        BadInput: ``sense.recording`` naming the line.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                yield _read(text)
            except (ValueError, msgspec.MsgspecError, YunmengError) as cause:
                raise BadInput("sense.recording", line=number, reason=str(cause)) from cause


def _read(text: str) -> Recorded:
    if not text.startswith("{"):
        return Recorded(bytes.fromhex(text))
    line = msgspec.json.decode(text, type=_Line)
    return Recorded(bytes.fromhex(line.frame), instant_us(line.at) if line.at else None)


def waits(frames: Iterable[Recorded], factor: float) -> Iterator[tuple[float, Recorded]]:
    """Yields each frame with the seconds to wait before it, ``factor`` times as fast as it was recorded.

    A frame without a time, or before its forerunner, follows at once; a factor of 0 waits nowhere.
    """
    before: int | None = None
    for recorded in frames:
        gap = 0 if recorded.at is None or before is None else max(0, recorded.at - before)
        before = recorded.at if recorded.at is not None else before
        yield (gap / 1e6 / factor if factor else 0.0), recorded
