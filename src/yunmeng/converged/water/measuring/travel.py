"""How long readings travel from station to node: the last few of each station, in bounded memory.

What is sent again or late 补报 says nothing about a clock, so of a burst only its newest reading counts, and
only if it is newer than all before. The median over several bursts then bears one that was late as a whole.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yunmeng.converged.water.measuring.control import Floats, Times

_SECOND_US = 1_000_000
_BURST_US = 300 * _SECOND_US
_AHEAD_US = 300 * _SECOND_US
_NEVER = np.iinfo(np.int64).min
_FIRST_ROWS = 256

Rows = NDArray[np.intp]


class Travels:
    """Travel times by station: the newest reading of each of the last ``kept`` bursts.

    A burst 一批 is what comes within five minutes of its first reading. Stations past ``most`` are not kept.
    """

    def __init__(self, kept: int = 6, most: int = 200_000) -> None:
        self._kept, self._most = kept, most
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._lags = np.empty((0, kept))
        self._bursts, self._began, self._newest = (np.empty(0, np.int64) for _ in range(3))
        self._heard: set[int] = set()

    def note(
        self, stations: Sequence[str], index: NDArray[np.integer], observed: Times, received: int
    ) -> None:
        """Takes readings in: station by ``index`` ("": nobody's), when observed; all came at ``received``.

        Times are µs UTC.
        """
        own = np.array([self._row(id) for id in stations], np.intp)
        place = own[index]
        rows, of = np.unique(place[place >= 0], return_inverse=True)
        newest = np.full(len(rows), _NEVER)
        np.maximum.at(newest, of, observed[place >= 0])
        # a clock that was ahead and was put right writes older times than before
        fresh = (newest > self._newest[rows]) | (self._newest[rows] > received + _AHEAD_US)
        self._keep(rows[fresh], newest[fresh], received)

    def take(self) -> tuple[list[str], Floats]:
        """Returns who was heard since the last call and is known well enough: ids, lags in s (n, kept)."""
        rows = np.array([row for row in self._heard if self._bursts[row] >= self._kept], np.intp)
        self._heard.clear()
        return [self._ids[row] for row in rows.tolist()], self._lags[rows]

    def _keep(self, rows: Rows, newest: Times, received: int) -> None:
        begins = rows[received - self._began[rows] >= _BURST_US]
        self._bursts[begins] += 1
        self._began[begins] = received
        self._lags[rows, self._bursts[rows] % self._kept] = (received - newest) / _SECOND_US
        self._newest[rows] = newest
        self._heard.update(rows.tolist())

    def _row(self, id: str) -> int:
        row = self._rows.get(id, -1)
        if row < 0 and id and len(self._ids) < self._most:
            row = self._rows[id] = len(self._ids)
            self._ids.append(id)
            if row >= len(self._lags):
                self._grow()
        return row

    def _grow(self) -> None:
        more = max(len(self._lags), _FIRST_ROWS)
        self._lags = np.pad(self._lags, ((0, more), (0, 0)), constant_values=np.nan)
        self._bursts = np.pad(self._bursts, (0, more))
        # far in the past, but not so far that a difference overflows
        self._began = np.pad(self._began, (0, more), constant_values=-(2**60))
        self._newest = np.pad(self._newest, (0, more), constant_values=_NEVER)
