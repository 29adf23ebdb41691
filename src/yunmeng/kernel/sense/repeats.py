"""What was said before: devices send again what they think was lost."""

from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum


class Said(Enum):
    """What is known of a key."""

    NEW = "new"
    UNDER_WAY = "under way"
    KEPT = "kept"


class Repeats:
    """Remembers the last ``most`` keys, such as (station, sequence, time), and whether they were kept."""

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._said: OrderedDict[Hashable, Said] = OrderedDict()

    def say(self, key: Hashable) -> Said:
        """Returns what is known of the key; one that is new is under way from now on."""
        known = self._said.get(key, Said.NEW)
        if known is Said.NEW:
            self._said[key] = Said.UNDER_WAY
            if len(self._said) > self._most:
                self._said.popitem(last=False)
        return known

    def kept(self, key: Hashable) -> None:
        """It is on disk: whatever comes again under this key is answered and dropped."""
        if key in self._said:
            self._said[key] = Said.KEPT

    def lost(self, key: Hashable) -> None:
        """It did not get there: when it comes again, it is new."""
        self._said.pop(key, None)
