"""Commands on their way to a device: matched to their answers, sent again, given up in time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from yunmeng.kernel.base import Unavailable, YunmengError
from yunmeng.kernel.sense.effects import Answer, Command, Effect, Send

Key = TypeVar("Key")


@dataclass(slots=True)
class _Waiting:
    command: Command
    data: bytes
    due: int
    left: int
    wait_us: int


class InFlight(Generic[Key]):
    """What was sent and waits for an answer, by the key that answers carry (a serial number, a function).

    Each is sent up to ``attempts`` times, ``wait_s`` apart and twice as long each time, then fails as
    ``Unavailable("command.timeout")``.
    """

    def __init__(self, wait_s: float = 10.0, attempts: int = 3) -> None:
        self._wait_us = int(wait_s * 1e6)
        self._attempts = attempts
        self._waiting: dict[Key, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def send(self, key: Key, command: Command, data: bytes, at: int) -> Iterator[Effect]:
        """Sends a command; one that waited under the same key fails, since its answer can't be told apart."""
        yield from self.failed(key, Unavailable("command.replaced", name=command.name))
        self._waiting[key] = _Waiting(
            command, data, at + self._wait_us, self._attempts - 1, self._wait_us * 2
        )
        yield Send(data)

    def accepted(self, key: Key, at: int, within_s: float) -> None:
        """The device took it and works on it: it is not sent again, and has so long to say how it went."""
        if waiting := self._waiting.get(key):
            waiting.left, waiting.due = 0, at + int(within_s * 1e6)

    def answered(self, key: Key, result: Mapping[str, Any]) -> Iterator[Effect]:
        """The device did it; an answer that nobody waits for is no error."""
        if waiting := self._waiting.pop(key, None):
            yield Answer(waiting.command.id, result)

    def failed(self, key: Key, error: YunmengError) -> Iterator[Effect]:
        """The device said no."""
        if waiting := self._waiting.pop(key, None):
            yield Answer(waiting.command.id, error=error)

    def forget(self, key: Key) -> None:
        """Somebody else answers it from now on."""
        self._waiting.pop(key, None)

    def tick(self, at: int) -> Iterator[Effect]:
        """Sends again what is due, and gives up what was sent often enough."""
        for key, waiting in list(self._waiting.items()):
            if waiting.due > at:
                continue
            if not waiting.left:
                yield from self.failed(key, Unavailable("command.timeout", device=waiting.command.device))
                continue
            waiting.left, waiting.due, waiting.wait_us = (
                waiting.left - 1,
                at + waiting.wait_us,
                waiting.wait_us * 2,
            )
            yield Send(waiting.data)
