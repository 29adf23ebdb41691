"""What a broker refuses, as errors of the house: the type URI, the status, the words, the way out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from yunmeng.kernel.base import YunmengError


class BrokerError(YunmengError):
    """A broker refused a request (ETSI GS CIM 009 §6.3.2); it says why."""

    @property
    def status(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]  (the broker's, not the class's)
        """The HTTP status of the answer."""
        return int(str(self.facts["status"]))

    @property
    def type(self) -> str:
        """The URI of the error, such as ``https://uri.etsi.org/ngsi-ld/errors/ResourceNotFound``."""
        return str(self.facts["uri"])

    @property
    def title(self) -> str:
        """The error in a few words, by the broker."""
        return str(self.facts["title"])

    @property
    def detail(self) -> str:
        """What went wrong this time, by the broker; may be empty."""
        return str(self.facts["detail"])

    @property
    def remedy(self) -> str:
        """What mends it, where the broker says so."""
        return str(self.facts["remedy"])


@dataclass(frozen=True, slots=True)
class Refused:
    """One entity that a batch left out, and the broker's reason."""

    id: str
    type: str
    title: str
    detail: str


class BatchError(YunmengError):
    """Some entities of a batch were refused; ``done`` are the ids that were carried out all the same."""

    status: ClassVar[int] = 400

    @classmethod
    def of(cls, done: Sequence[str], refused: Sequence[Refused]) -> "BatchError":
        """Makes the error of what was done and what was not."""
        first = refused[0]
        return cls(
            "client.batch",
            count=len(refused),
            all=len(refused) + len(done),
            id=first.id,
            reason=first.detail or first.title,
            done=tuple(done),
            refused=tuple(refused),
        )

    @property
    def done(self) -> tuple[str, ...]:
        """The ids of the entities that were carried out."""
        return self.facts["done"]  # pyright: ignore[reportReturnType]  (made by `of`)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The entities that were not, each with its reason."""
        return self.facts["refused"]  # pyright: ignore[reportReturnType]  (made by `of`)
