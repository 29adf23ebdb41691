"""Live changes as server-sent events: one follower of the bus a process, one bounded mailbox a tab."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from starlette.responses import Response, StreamingResponse

from yunmeng.console.asked import asked_division, narrowed
from yunmeng.console.terms import Terms, terms_of
from yunmeng.kernel.base import Unavailable, instant_us
from yunmeng.kernel.link import Bus, Message
from yunmeng.kernel.model import Change, ObservationBatch, decode_batch, decode_changes
from yunmeng.kernel.serve import Call
from yunmeng.kernel.trust import Reach

MOST_TABS = 500
MOST_WAITING = 500
FLUSH_S = 1.0
HEARTBEAT_S = 15.0
LONGEST_S = 900.0  # then the browser connects again, and its session is looked at again

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class Novelty:
    """The newest value of one attribute of one entity within one message."""

    tenant: str
    entity: str
    type: str
    division: str
    attribute: str
    at: int
    value: float | str | None = None


@dataclass(slots=True)
class Mailbox:
    """What one tab has not been sent yet: the latest value of an attribute replaces the one before."""

    reach: Reach
    waiting: dict[tuple[str, str], Novelty] = field(default_factory=dict[tuple[str, str], Novelty])
    types: dict[str, int] = field(default_factory=dict[str, int])
    position: int = 0

    def put(self, position: int, novelties: list[Novelty]) -> None:
        """Keeps what is in reach; when full, new entities count in ``types`` only."""
        self.position = position
        for one in novelties:
            if not reaches(self.reach, one):
                continue
            self.types[one.type] = max(one.at, self.types.get(one.type, 0))
            key = (one.entity, one.attribute)
            if key in self.waiting or len(self.waiting) < MOST_WAITING:
                self.waiting[key] = one

    def take(self) -> tuple[list[Novelty], dict[str, int]]:
        """Empties the mailbox."""
        novelties, types = list(self.waiting.values()), self.types
        self.waiting, self.types = {}, {}
        return novelties, types


def reaches(reach: Reach, one: Novelty) -> bool:
    """Tells whether a change lies in a reach: same tenant, and a division under one of its prefixes."""
    if one.tenant != reach.tenant:
        return False
    return reach.prefixes is None or (bool(one.division) and one.division.startswith(reach.prefixes))


def observed(batch: ObservationBatch) -> list[Novelty]:
    """Returns the last row of every series of a batch."""
    _, last = np.unique(batch.index[::-1], return_index=True)
    found: list[Novelty] = []
    for row in (len(batch.index) - 1 - last).tolist():
        series = batch.series[int(batch.index[row])]
        number = float(batch.number[row])
        value = None if number != number else number
        found.append(
            Novelty(
                batch.tenant,
                series.entity,
                series.type,
                series.division,
                series.attribute,
                int(batch.observed_at[row]),
                value if value is not None else batch.text.get(row),
            )
        )
    return found


def changed(changes: list[Change]) -> list[Novelty]:
    """Returns one novelty for every attribute that a change names (who shows it reads the value)."""
    return [
        Novelty(one.tenant, one.entity, kind, one.division, attribute, instant_us(one.at))
        for one in changes
        for kind in one.types[:1]
        for attribute in one.attributes or ("",)
    ]


class Hub:
    """Follows the bus while at least one tab listens, and hands every message to the mailboxes."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._mailboxes: list[Mailbox] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.position = 0

    def check_room(self) -> None:
        """Raises ``Unavailable("console.live.busy")`` when :data:`MOST_TABS` tabs listen already."""
        if len(self._mailboxes) >= MOST_TABS:
            raise Unavailable("console.live.busy", most=MOST_TABS)

    def enter(self, reach: Reach) -> Mailbox:
        """Opens a mailbox, and starts to follow the bus for the first one."""
        mailbox = Mailbox(reach, position=self.position)
        self._mailboxes.append(mailbox)
        if not self._tasks:
            subjects = ("chg.observed.>", "chg.entity.>")
            self._tasks = [asyncio.create_task(self._follow(subject)) for subject in subjects]
        return mailbox

    async def leave(self, mailbox: Mailbox) -> None:
        """Closes a mailbox; the last one out stops following."""
        self._mailboxes = [one for one in self._mailboxes if one is not mailbox]
        if self._mailboxes:
            return
        # what passes while nobody follows is not counted, so nobody may believe to be up to date
        self.position = 0
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self, subject: str) -> None:
        async with aclosing(self._bus.follow(subject)) as messages:
            async for message in messages:
                self.position = max(self.position, message.position)
                novelties = _novelties(message)
                for mailbox in self._mailboxes:
                    mailbox.put(self.position, novelties)


def _novelties(message: Message) -> list[Novelty]:
    if message.subject.startswith("chg.observed."):
        return observed(decode_batch(message.data))
    return changed(decode_changes(message.data))


_hubs: WeakKeyDictionary[Bus, Hub] = WeakKeyDictionary()


def hub_of(bus: Bus) -> Hub:
    """Returns this process's hub of a bus."""
    return _hubs.setdefault(bus, Hub(bus))


async def live(call: Call) -> Response:
    """Answers with ``text/event-stream``: ``change`` once a second, ``resync`` after a gap, heartbeats.

    ``change`` carries ``types`` (type → latest observation, ms) and ``values`` (``[entity, attribute,
    ms, value]``); the event id is the position in the CHG stream. A tab that comes back with
    another ``Last-Event-ID`` is told to read everything again: cheaper than a replay, and never wrong.
    """
    hub = hub_of(call.services.bus)
    hub.check_room()
    last_seen = call.request.headers.get("last-event-id", "")
    gap = last_seen.isdecimal() and (hub.position == 0 or int(last_seen) != hub.position)
    events = _events(hub, narrowed(call.reach, asked_division(call)), terms_of(call), gap=gap)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _events(hub: Hub, reach: Reach, terms: Terms, *, gap: bool) -> AsyncGenerator[bytes]:
    mailbox = hub.enter(reach)
    loop = asyncio.get_running_loop()
    end, quiet_since = loop.time() + LONGEST_S, loop.time()
    try:
        yield b"retry: 3000\n" + _event("resync" if gap else "hello", mailbox.position, {})
        while loop.time() < end:
            await asyncio.sleep(FLUSH_S)
            novelties, types = mailbox.take()
            if types:
                quiet_since = loop.time()
                yield _event("change", mailbox.position, _payload(terms, novelties, types))
            elif loop.time() - quiet_since >= HEARTBEAT_S:
                quiet_since = loop.time()
                yield b": still here\n\n"
    finally:
        await hub.leave(mailbox)


def _payload(terms: Terms, novelties: list[Novelty], types: dict[str, int]) -> dict[str, Any]:
    return {
        "types": {terms.short(kind): at // 1000 for kind, at in types.items()},
        "values": [[one.entity, terms.short(one.attribute), one.at // 1000, one.value] for one in novelties],
    }


def _event(name: str, position: int, payload: dict[str, Any]) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), position, msgspec.json.encode(payload))
