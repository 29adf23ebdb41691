"""What was said before: devices send again what they think was lost."""

from collections.abc import Hashable
from enum import Enum


class Said(Enum):
    """What is known of a key."""

    NEW = "new"
    UNDER_WAY = "under way"
    KEPT = "kept"


class Repeats:
    """Remembers at least the last ``most`` keys, such as (station, sequence, time), and if they were kept.

    Of a key only its hash is held: what a million reports would take is better spent elsewhere, and that two
    of them have the same 64 bits is less likely than a fault of the machine.
    """

    def __init__(self, most: int = 500_000) -> None:
        self._most = most
        self._newer: dict[int, Said] = {}
        self._older: dict[int, Said] = {}

    def say(self, key: Hashable) -> Said:
        """Returns what is known of the key; one that is new is under way from now on."""
        number = hash(key)
        known = self._newer.get(number) or self._older.get(number)
        if known is not None:
            return known
        if len(self._newer) >= self._most:
            self._older, self._newer = self._newer, {}
        self._newer[number] = Said.UNDER_WAY
        return Said.NEW

    def kept(self, key: Hashable) -> None:
        """It is on disk: whatever comes again under this key is answered and dropped."""
        number = hash(key)
        for said in (self._newer, self._older):
            if number in said:
                said[number] = Said.KEPT

    def lost(self, key: Hashable) -> None:
        """It did not get there: when it comes again, it is new."""
        number = hash(key)
        self._newer.pop(number, None)
        self._older.pop(number, None)
