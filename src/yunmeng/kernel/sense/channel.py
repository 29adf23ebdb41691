"""A session at work: what it wants is done, and devices are answered once their data is safe."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from yunmeng.kernel.base import Unavailable, YunmengError, now_us
from yunmeng.kernel.sense.effects import (
    Answer,
    Close,
    Command,
    Describe,
    Effect,
    Identify,
    Keep,
    Locate,
    Lose,
    Observe,
    Refuse,
    Send,
)
from yunmeng.kernel.sense.repeats import Said
from yunmeng.kernel.sense.session import Session

if TYPE_CHECKING:
    from yunmeng.kernel.sense.hub import Hub

Future = asyncio.Future[Any]


@dataclass(slots=True)
class _Owed:
    """What becomes due when one future is done."""

    replies: list[bytes] = field(default_factory=list[bytes])
    keys: list[Hashable] = field(default_factory=list[Hashable])
    told: list[Hashable] = field(default_factory=list[Hashable])


class Channel:
    """One connection: a session, and the way back to its device.

    With a list in ``refused`` what is refused lands there instead of in the quarantine: it came from there,
    and no device is at the other end. ``joins`` says that answers may be written together; where each write
    is a message of its own, they may not.
    """

    def __init__(
        self,
        hub: "Hub",
        session: Session,
        peer: str,
        write: Callable[[bytes], None],
        close: Callable[[], None],
        *,
        joins: bool = True,
    ) -> None:
        self._hub = hub
        self._session = session
        self._write = write
        self._close = close
        self._joins = joins
        self._owed: dict[Future, _Owed] = {}
        self._answers: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self.peer = peer
        self.refused: list[YunmengError] | None = None
        self.heard_at = now_us()
        self.readings = 0
        self.devices: set[str] = set()
        self._there = True

    def open(self) -> None:
        """The connection is there."""
        self._hub.opened(self)
        self.perform(self._session.opened(now_us()))

    def hear(self, data: bytes) -> None:
        """Bytes came."""
        self.heard_at = now_us()
        self.perform(self._session.received(data, self.heard_at))

    def tick(self) -> None:
        """A second has passed."""
        self.perform(self._session.tick(now_us()))

    def hang_up(self) -> None:
        """Ends the connection."""
        self._close()

    def lost(self) -> None:
        """The connection is gone: commands that wait for an answer fail."""
        self._there = False
        self._hub.closed(self)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Unavailable("device.gone", peer=self.peer))
        self._answers.clear()

    async def command(self, command: Command) -> Mapping[str, Any]:
        """Has the device carry out a command; returns its result or raises why not."""
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[command.id] = answer
        try:
            self.perform(self._session.command(command, now_us()))
            return await answer
        finally:
            self._answers.pop(command.id, None)

    async def settled(self) -> None:
        """Returns when everything that was heard is on disk; raises why some of it is not."""
        await asyncio.gather(*self._owed)

    def perform(self, effects: Iterable[Effect]) -> None:
        """Does what the session wants, in its order."""
        for effect in effects:
            match effect:
                case Observe():
                    self._observe(effect)
                case Send(data):
                    self._write(data)
                case Locate():
                    self._hub.sink.locate(effect)
                case Describe(entities, reply):
                    self._after({self._hub.sink.describe(body) for body in entities}, reply)
                case Keep():
                    self._after({self._hub.sink.keep(effect)}, effect.reply)
                case Refuse():
                    self._refuse(effect)
                case Identify(device):
                    self._identify(device)
                case Lose(device):
                    self.devices.discard(device)
                    self._hub.offline(device, self.command)
                case Answer():
                    self._answer(effect)
                case Close():
                    self.hang_up()

    def _identify(self, device: str) -> None:
        # what was still to be heard when the connection broke is kept, but commands find nobody there
        if self._there and self.refused is None:
            self.devices.add(device)
            self._hub.identified(self, device)

    def _observe(self, effect: Observe) -> None:
        key = effect.key
        if key is not None:
            said = self._hub.repeats.say(key)
            if said is Said.KEPT:
                self._after(set(), effect.reply, told=effect.told)
                return
            # one that is under way is answered when it comes once more: by then it is known how it went;
            # who counts has to hear of this one, and rather keeps it twice
            if said is Said.UNDER_WAY and effect.told is None:
                return
        observe = self._hub.sink.observe
        self.readings += len(effect.readings)
        futures: set[Future] = {observe(reading) for reading in effect.readings}
        if effect.entities:
            futures |= {self._hub.sink.describe(body) for body in effect.entities}
        self._after(futures, effect.reply, key, effect.told)

    def _refuse(self, effect: Refuse) -> None:
        if self.refused is not None:
            self.refused.append(effect.reason)
            return
        refused = self._hub.sink.refuse(effect.frame, effect.reason, self.peer)
        self._after({refused}, effect.reply, told=effect.told)

    def _answer(self, effect: Answer) -> None:
        answer = self._answers.get(effect.command)
        if answer is None or answer.done():
            return
        if effect.error is not None:
            answer.set_exception(effect.error)
        else:
            answer.set_result(effect.result)

    def _after(self, futures: set[Future], reply: bytes, key: Hashable = None, told: Hashable = None) -> None:
        """Owes a reply until all the futures are done; one that fails leaves the device unanswered."""
        if not futures:
            if reply:
                self._write(reply)
            if key is not None:
                self._hub.repeats.kept(key)
            self._tell(told)
            return
        future = futures.pop() if len(futures) == 1 else cast("Future", asyncio.gather(*futures))
        owed = self._owed.get(future)
        if owed is None:
            owed = self._owed[future] = _Owed()
            future.add_done_callback(self._done)
        if reply:
            owed.replies.append(reply)
        if key is not None:
            owed.keys.append(key)
        if told is not None:
            owed.told.append(told)

    def _done(self, future: Future) -> None:
        owed = self._owed.pop(future)
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or isinstance(error, YunmengError):
            for key in owed.keys:
                self._hub.repeats.lost(key)
            if (owed.replies or owed.told) and not self._hub.gateway.says_again:
                self.hang_up()
            return
        if error is not None:
            raise error
        for key in owed.keys:
            self._hub.repeats.kept(key)
        for reply in [b"".join(owed.replies)] if self._joins and owed.replies else owed.replies:
            self._write(reply)
        for told in owed.told:
            self._tell(told)

    def _tell(self, told: Hashable) -> None:
        if told is not None and self._there:
            self.perform(self._session.kept(told, now_us()))
