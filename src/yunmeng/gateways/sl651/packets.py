"""Texts in packets (mode M3): joined, asked for again one by one, given up (clauses 6.3.1.2 c, 6.4.3)."""

from collections.abc import Callable, Iterable

import msgspec

from yunmeng.gateways.sl651.messages import ETB, Frame
from yunmeng.kernel.sense import Effect, Reassembly, Refuse, Send, bad_frame

_ASK_AFTER_S, _MOST_ASKED = 5.0, 2

Key = tuple[str, int]
"""Station and function."""


class _Open(msgspec.Struct):
    """A text that is not yet whole: its newest packet, and how often packets were asked for."""

    frame: Frame
    raw: bytes
    asked: int = 0
    asked_at: int = 0


class Packets:
    """Joins the packets of one connection; ``ask`` writes the frame that asks for a packet again."""

    def __init__(self, ask: Callable[[Frame, int, int], bytes]) -> None:
        self._joining: Reassembly[Key] = Reassembly()
        self._open: dict[Key, _Open] = {}
        self._ask = ask

    def add(self, frame: Frame, raw: bytes, at: int) -> tuple[bytes | None, list[Effect]]:
        """Takes a packet; returns the whole text once it is there, and what to ask for until then."""
        key = (frame.station, frame.function)
        whole = self._joining.add(key, frame.number, frame.total, frame.body, at)
        if whole is not None:
            self._open.pop(key, None)
            return whole, []
        known = self._open.setdefault(key, _Open(frame, raw))
        known.frame, known.raw = frame, raw
        if frame.end == ETB:
            return None, []
        return None, list(self._ask_for(key, known, at))

    def tick(self, at: int) -> Iterable[Effect]:
        """Asks again where nothing came for a while, and refuses what will not become whole."""
        self._joining.expire(at)
        for key, known in list(self._open.items()):
            if not self._joining.missing(key):  # too old, or one too many
                del self._open[key]
                reason = f"of {known.frame.total} packets some never came"
                yield Refuse(known.raw, bad_frame("sl651", reason))
                continue
            due = known.asked < _MOST_ASKED and at - known.asked_at > _ASK_AFTER_S * 1e6
            if due and key in self._joining.stalled(at, _ASK_AFTER_S):
                known.asked += 1
                yield from self._ask_for(key, known, at)

    def _ask_for(self, key: Key, known: _Open, at: int) -> Iterable[Effect]:
        missing = self._joining.missing(key)
        if missing:
            known.asked_at = at
            yield Send(self._ask(known.frame, missing[0], at))
