"""Two sources for one station: one series, and where they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yunmeng.converged.water.measuring.control import Floats, Times
from yunmeng.kernel.base import BadInput


@dataclass(frozen=True, slots=True)
class Merged:
    """One series: ``source`` is which one each value comes from, ``conflict`` where another differs too much.

    Arrays of shape (n,).
    """

    times: Times
    values: Floats
    source: NDArray[np.intp]
    conflict: NDArray[np.bool_]


def merge_sources(series: Sequence[tuple[Times, Floats]], *, by: float) -> Merged:
    """Merges series of one station (times in µs UTC, values with NaN missing), the most trusted first.

    A later source fills only what the earlier ones miss; values that differ by more than ``by`` are in
    conflict, and the more trusted one stands. Raises ``BadInput("water.few")`` without a series.
    """
    if not series:
        raise BadInput("water.few", name="series", count=0, wanted=1)
    times = np.unique(np.concatenate([one[0] for one in series]))
    table = np.full((len(series), len(times)), np.nan)
    for row, (own, values) in enumerate(series):
        table[row, np.searchsorted(times, own)] = values
    there = ~np.isnan(table)
    source = np.where(there.any(axis=0), there.argmax(axis=0), -1)
    chosen = table[np.maximum(source, 0), np.arange(len(times))]
    with np.errstate(invalid="ignore"):
        conflict: NDArray[np.bool_] = np.any(np.abs(table - chosen) > by, axis=0)
    return Merged(times, chosen, source, conflict)
