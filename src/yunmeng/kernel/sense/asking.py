"""A line on which one side asks and one device at a time answers (RS-485 and its like)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.sense.effects import Answer, Command, Effect, Identify, Lose, Send


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one device: its frame, what the answer is about, and for whose command."""

    device: str
    frame: bytes
    about: Any = None
    command: Command | None = None


class Asking:
    """Asks one question at a time, round after round; commands go first.

    A question is asked ``attempts`` times, ``wait_s`` apart (counted by ticks). A device that left all of
    them unanswered is lost, and the rest of its questions in this round are not asked.
    """

    def __init__(
        self,
        questions: Callable[[], Iterable[Question]],
        *,
        every_s: float = 60.0,
        wait_s: float = 2.0,
        attempts: int = 2,
    ) -> None:
        self._questions = questions
        self._every_us = int(every_s * 1e6)
        self._wait_us = int(wait_s * 1e6)
        self._attempts = attempts
        self._round: deque[Question] = deque()
        self._orders: deque[Question] = deque()
        self._asked: Question | None = None
        self._left = 0
        self._due = 0
        self._next_round = 0
        self._online: set[str] = set()

    @property
    def current(self) -> Question | None:
        """The question that waits for its answer."""
        return self._asked

    def order(self, question: Question, at: int) -> Iterator[Effect]:
        """Asks this before anything else."""
        self._orders.append(question)
        yield from self._go_on(at)

    def answered(self, at: int) -> Iterator[Effect]:
        """The device has answered the current question; the next one follows."""
        asked, self._asked = self._asked, None
        if asked is not None and asked.device not in self._online:
            self._online.add(asked.device)
            yield Identify(asked.device)
        yield from self._go_on(at)

    def tick(self, at: int) -> Iterator[Effect]:
        """Asks again, gives up, or begins the next round."""
        if self._asked is not None and at >= self._due:
            if self._left:
                self._left -= 1
                self._due = at + self._wait_us
                yield Send(self._asked.frame)
            else:
                yield from self._give_up(self._asked)
        yield from self._go_on(at)

    def _go_on(self, at: int) -> Iterator[Effect]:
        if self._asked is not None:
            return
        if not self._orders and not self._round and at >= self._next_round:
            self._next_round = at + self._every_us
            self._round.extend(self._questions())
        queue = self._orders or self._round
        if queue:
            self._asked = queue.popleft()
            self._left, self._due = self._attempts - 1, at + self._wait_us
            yield Send(self._asked.frame)

    def _give_up(self, asked: Question) -> Iterator[Effect]:
        self._asked = None
        self._round = deque(each for each in self._round if each.device != asked.device)
        if asked.command is not None:
            yield Answer(asked.command.id, error=Unavailable("command.timeout", device=asked.device))
        if asked.device in self._online:
            self._online.discard(asked.device)
            yield Lose(asked.device)
