"""The link: starting and stopping, numbers, acknowledgements, test frames, time-outs (104, clause 5)."""

from collections import deque
from collections.abc import Iterator, Mapping

import msgspec

from yunmeng.gateways.iec104.apci import (
    MODULO,
    PROTOCOL,
    Apdu,
    Function,
    Iec104Codec,
    Numbered,
    Supervisory,
    Unnumbered,
)
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Close, Effect, Send, bad_frame

_NEVER = 1 << 62
_ANSWERS = {
    Function.STARTDT_ACT: Function.STARTDT_CON,
    Function.STOPDT_ACT: Function.STOPDT_CON,
    Function.TESTFR_ACT: Function.TESTFR_CON,
}


class Limits(msgspec.Struct, frozen=True):
    """``k`` APDUs may wait for their acknowledgement, ``w`` are acknowledged at once; times in microseconds.

    ``t1`` for an answer, ``t2`` until an acknowledgement without other data, ``t3`` of silence until a test.
    """

    k: int = 12
    w: int = 8
    t1: int = 15_000_000
    t2: int = 10_000_000
    t3: int = 20_000_000


def read_limits(options: Mapping[str, str]) -> Limits:
    """Reads them from a gateway's options, times in seconds. Raises ``BadInput("sense.option")``."""
    found: dict[str, int] = {}
    for name in Limits.__struct_fields__:
        text = options.get(name)
        if text is None:
            continue
        most, factor = (MODULO - 1, 1) if name in "kw" else (86_400, 1_000_000)
        if not text.isdecimal() or not 0 < int(text) <= most:
            raise BadInput("sense.option", name=PROTOCOL, option=name, value=text)
        found[name] = int(text) * factor
    limits = Limits(**found)
    if limits.t2 >= limits.t1:
        raise BadInput("sense.option", name=PROTOCOL, option="t2", value=f"{limits.t2 / 1e6:g}")
    return limits


class Link:
    """One connection's numbers; what is received is acknowledged as far as it is :meth:`kept`.

    ``controlling`` is the station that starts the transfer; the other one confirms it.
    """

    def __init__(self, codec: Iec104Codec, limits: Limits, *, controlling: bool = True) -> None:
        self._codec = codec
        self._limits = limits
        self._controlling = controlling
        self.started = False
        self._asked: Function | None = None
        self._asked_at = _NEVER
        self._heard_at = 0
        self._next, self._waiting = 0, deque[int]()
        """V(S), and when each APDU left that the other side has not acknowledged."""
        self._queue: deque[bytes] = deque()
        self._expected, self._safe, self._said = 0, 0, 0
        """V(R); all before ``safe`` is on disk; all before ``said`` is acknowledged."""
        self._early: set[int] = set()
        self._safe_at = _NEVER

    def ask(self, function: Function, at: int) -> Iterator[Effect]:
        """Sends a U frame that wants a confirmation."""
        self._heard_at = self._heard_at or at
        self._asked, self._asked_at = function, at
        yield self._write(Unnumbered(function))

    def push(self, asdu: bytes, at: int) -> Iterator[Effect]:
        """Sends an ASDU as soon as fewer than k wait for their acknowledgement; none while stopped."""
        self._queue.append(asdu)
        yield from self._go_on(at)

    def withdraw(self, asdu: bytes) -> None:
        """Does not send what still waits for its turn: nobody wants it any more."""
        if asdu in self._queue:
            self._queue.remove(asdu)

    def heard(self, message: Apdu, at: int) -> Iterator[Effect]:
        """Takes the numbers of an APDU, and answers a U frame.

        Raises:
            BadInput: ``frame.bad`` for a number that cannot be; the connection must end (5.1).
        """
        self._heard_at = at
        if isinstance(message, Unnumbered):
            yield from self._controlled(message.function)
            return
        if isinstance(message, Numbered):
            self._count(message.send)
        self._acknowledged(message.receive)
        yield from self._go_on(at)

    def kept(self, number: int, at: int) -> Iterator[Effect]:
        """What came under this number is on disk; w of them are acknowledged at once."""
        self._early.add(number)
        if self._safe in self._early and self._safe == self._said:
            self._safe_at = at
        while self._safe in self._early:
            self._early.discard(self._safe)
            self._safe = (self._safe + 1) % MODULO
        if (self._safe - self._said) % MODULO >= self._limits.w:
            yield self._acknowledge()

    def tick(self, at: int) -> Iterator[Effect]:
        """Acknowledges what waits (t2), tests a silent connection (t3), ends one that is dead (t1)."""
        limits = self._limits
        unanswered = min(self._asked_at, self._waiting[0] if self._waiting else _NEVER)
        if at - unanswered >= limits.t1:
            yield Close()
            return
        if at - self._safe_at >= limits.t2 and self._safe != self._said:
            yield self._acknowledge()
        if at - self._heard_at >= limits.t3 and self._asked is None:
            yield from self.ask(Function.TESTFR_ACT, at)

    def last_word(self) -> Iterator[Effect]:
        """Acknowledges all that is on disk, before the transfer is stopped (5.3)."""
        if self._safe != self._said:
            yield self._acknowledge()

    def _controlled(self, function: Function) -> Iterator[Effect]:
        if answer := _ANSWERS.get(function):
            if function is not Function.TESTFR_ACT:
                if self._controlling:
                    raise bad_frame(PROTOCOL, f"{function.name} from a controlled station")
                self.started = function is Function.STARTDT_ACT
            yield self._write(Unnumbered(answer))
            return
        if self._asked is not None and _ANSWERS[self._asked] is function:
            self._asked, self._asked_at = None, _NEVER
            if function is not Function.TESTFR_CON:
                self.started = function is Function.STARTDT_CON

    def _count(self, number: int) -> None:
        if number != self._expected:
            raise bad_frame(PROTOCOL, f"N(S) is {number}, {self._expected} expected")
        self._expected = (number + 1) % MODULO

    def _acknowledged(self, number: int) -> None:
        left = (self._next - number) % MODULO
        if left > len(self._waiting):
            raise bad_frame(PROTOCOL, f"N(R) is {number}, {self._next} sent")
        while len(self._waiting) > left:
            self._waiting.popleft()

    def _go_on(self, at: int) -> Iterator[Effect]:
        if not self.started or self._asked is Function.STOPDT_ACT:
            self._queue.clear()
        while self._queue and len(self._waiting) < self._limits.k:
            yield self._write(Numbered(self._next, self._safe, self._queue.popleft()))
            self._next = (self._next + 1) % MODULO
            self._waiting.append(at)
            self._said, self._safe_at = self._safe, _NEVER

    def _acknowledge(self) -> Send:
        self._said, self._safe_at = self._safe, _NEVER
        return self._write(Supervisory(self._safe))

    def _write(self, message: Apdu) -> Send:
        return Send(self._codec.encode(message))
