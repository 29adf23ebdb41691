"""Which positions of a stream are done."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """Which positions of the stream are done, so that only a finished beginning is acknowledged."""

    open: dict[int, int] = field(default_factory=dict[int, int])
    last: int = 0

    def begin(self, position: int) -> None:
        """Opens a position; it holds one share for the reader itself."""
        self.open[position] = 1
        self.last = max(self.last, position)

    def share(self, position: int) -> Callable[[], None]:
        """Takes a share in a position and returns what gives it back."""
        self.open[position] += 1
        given = False

        def give() -> None:
            nonlocal given
            if not given:
                given = True
                self.end(position)

        return give

    def end(self, position: int) -> None:
        """Gives one share back."""
        left = self.open[position] - 1
        if left:
            self.open[position] = left
        else:
            del self.open[position]

    @property
    def finished(self) -> int:
        """The position up to which everything is done."""
        # positions are opened in their order, so the first is the lowest
        return next(iter(self.open)) - 1 if self.open else self.last
