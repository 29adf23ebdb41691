"""What a keeper finds when it starts: its place in the stream, and what an earlier run still owes.

Positions count from 1 within one life of the stream. When the bus was lost and made anew, or lost its newest
messages, they come a second time; the state remembers which life they are of, so that nothing new is taken
for old, and nothing old is read from what is new.
"""

import logging
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import now_us
from yunmeng.kernel.keeper.emitter import Emitter, Life, Owed, unpack
from yunmeng.kernel.keeper.rounds import ANNOUNCED, Block
from yunmeng.kernel.link import Bus
from yunmeng.kernel.store import Commit, Record, StateWriter

STORE_ID = ("keeper", "", "store-id")
STREAM_LIFE = ("keeper", "", "stream-life")
_MOST_ITEMS = 1000

_log = logging.getLogger("yunmeng.keeper")


async def store_id(state: StateWriter) -> str:
    """Names this state for good, so that its history blocks are told from those of another."""
    record = await state.record(*STORE_ID)
    if record is not None:
        return record.body.decode()
    name = uuid4().hex
    await state.commit(Commit(records=[Record(*STORE_ID, name.encode(), now_us())]))
    return name


async def resume(state: StateWriter, bus: Bus) -> tuple[int, Life]:
    """Returns the position behind which observations are new, and the life of the stream that it is of.

    After a loss it is said in the log, and the state goes back to where the stream is: behind it everything
    is new, and was never stored.
    """
    reached = await state.position("OBS")
    extent = await bus.extent("OBS")
    record = await state.record(*STREAM_LIFE)
    known = msgspec.json.decode(record.body, type=Life) if record else Life("")
    other = bool(known.name) and known.name != extent.life
    if not other and extent.last >= reached:
        if not known.name:
            await _remember(state, reached, Life(extent.life))
        return reached, Life(extent.life, known.since, known.until)
    # a stream of the same life has lost its newest messages only, and its others were stored
    position = extent.last if known.name == extent.life else 0
    life = Life(extent.life, await state.commit(Commit()), position)
    if reached:
        _log.error(
            "the bus has lost observations: the state has taken them up to position %d, the stream is %s and "
            "ends at %d; what comes behind position %d is taken as new",
            reached,
            "another" if position == 0 else "the same",
            extent.last,
            position,
        )
    await _remember(state, position, life)
    return position, life


async def _remember(state: StateWriter, position: int, life: Life) -> None:
    record = Record(*STREAM_LIFE, msgspec.json.encode(life), now_us())
    await state.commit(Commit(positions={"OBS": position}, records=[record]))


async def recover(state: StateWriter, bus: Bus, emitter: Emitter, life: Life, *, forgo_lost: bool) -> int:
    """Sends the block that was announced before a crash once more, unchanged, then owes the rest.

    Returns the highest outbox number of the earlier run. Raises ``Broken("keeper.lost-observations")``.
    """
    record = await state.record(*ANNOUNCED)
    announced = msgspec.json.decode(record.body, type=Block) if record else Block(0, 0)
    owed = await _owed(state, bus, life, forgo_lost=forgo_lost)
    before = owed[0].number - 1 if owed else await state.commit(Commit())
    emitter.published = emitter.written = before
    # A block is announced when the history has everything before it, and its items are dropped only when
    # the history has all of it.
    have = announced.last if announced.first <= before else announced.first - 1
    for one in owed:
        if one.number <= have:
            emitter.owe_bus(one)
        else:
            emitter.owe(one)
    block = [one for one in owed if have < one.number <= announced.last]
    if block:
        await emitter.write(block)
    return owed[-1].number if owed else before


async def _owed(state: StateWriter, bus: Bus, life: Life, *, forgo_lost: bool) -> list[Owed]:
    owed: list[Owed] = []
    # the outbox is read from its beginning: what is owed already comes once more
    while items := (await state.outbox(len(owed) + _MOST_ITEMS))[len(owed) :]:
        owed.extend([await unpack(item, bus, life, forgo_lost=forgo_lost) for item in items])
    return owed
