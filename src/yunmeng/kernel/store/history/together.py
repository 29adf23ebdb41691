"""Aggregates that are asked for while others are read, read together.

To plan a statement takes the engine longer than to read one more series, and the panels of a screen ask for
many series over one window at once. So a question that comes while a statement of its kind runs waits for the
next one, with all others that came meanwhile: it sees whatever was stored before it was asked.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from yunmeng.kernel.store.history.port import Aggregate, Method, TemporalQuery

_MOST_ENTITIES = 1000

Read = Callable[[TemporalQuery, Sequence[Method], int], Awaitable[Sequence[Aggregate]]]
Kind = tuple[TemporalQuery, tuple[Method, ...], int]


@dataclass(frozen=True, slots=True)
class _Question:
    entities: tuple[str, ...]
    answer: "asyncio.Future[Sequence[Aggregate]]"


class Together:
    """Reads questions that differ in their entities alone with one call of ``read``."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._asked: dict[Kind, deque[_Question]] = {}
        self._readers: dict[Kind, asyncio.Task[None]] = {}

    async def ask(
        self, query: TemporalQuery, methods: Sequence[Method], period_s: int
    ) -> Sequence[Aggregate]:
        """Returns, or raises, what ``read`` does; ``query`` names its entities."""
        kind = replace(query, entities=()), tuple(methods), period_s
        question = _Question(query.entities, asyncio.get_running_loop().create_future())
        self._asked.setdefault(kind, deque()).append(question)
        if kind not in self._readers:
            self._readers[kind] = asyncio.create_task(self._answer_all(kind))
        return await question.answer

    async def close(self) -> None:
        """Reads no more; who still waits is cancelled."""
        for reader in self._readers.values():
            reader.cancel()
        await asyncio.gather(*self._readers.values(), return_exceptions=True)
        # of readers that had not begun
        for question in chain.from_iterable(self._asked.values()):
            question.answer.cancel()

    async def _answer_all(self, kind: Kind) -> None:
        asked = self._asked[kind]
        questions: list[_Question] = []
        try:
            while questions := _next(asked):
                await self._answer(kind, questions)
        finally:
            del self._asked[kind], self._readers[kind]
            for question in (*questions, *asked):
                question.answer.cancel()

    async def _answer(self, kind: Kind, questions: Sequence[_Question]) -> None:
        query, methods, period_s = kind
        entities = tuple(dict.fromkeys(name for question in questions for name in question.entities))
        try:
            found = await self._read(replace(query, entities=entities), methods, period_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who asked are told
            for question in questions:
                if not question.answer.done():
                    question.answer.set_exception(error)
        else:
            _share(questions, found)


def _next(asked: deque[_Question]) -> list[_Question]:
    """Takes what one statement will answer; nobody waits any more for what was cancelled."""
    taken: list[_Question] = []
    entities = 0
    while asked and (not taken or entities + len(asked[0].entities) <= _MOST_ENTITIES):
        question = asked.popleft()
        if not question.answer.done():
            taken.append(question)
            entities += len(question.entities)
    return taken


def _share(questions: Sequence[_Question], found: Sequence[Aggregate]) -> None:
    by_entity: defaultdict[str, list[Aggregate]] = defaultdict(list)
    for one in found:
        by_entity[one.entity].append(one)
    for question in questions:
        if not question.answer.done():
            names = sorted(set(question.entities))
            question.answer.set_result([one for name in names for one in by_entity[name]])
