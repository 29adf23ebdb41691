"""Observations: what a sensor said, when, how well, and through which gateway; packed in columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray


class Quality(IntEnum):
    """How far a value can be trusted."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    MISSING = 3
    SUBSTITUTED = 4


class Series(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One attribute of one entity as a stream of values.

    ``attribute`` and ``type`` are expanded URIs; ``unit`` is a UN/CEFACT code or empty;
    ``division`` is a GB/T 2260 code; an entity that is not known yet is made from these.
    """

    entity: str
    attribute: str
    type: str
    division: str
    unit: str = ""
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """Observations of one tenant through one gateway, in columns.

    ``index[i]`` (uint32) points into ``series``; ``observed_at`` and ``received_at`` are microseconds
    since 1970 UTC (int64); ``number`` is float64 with NaN where the value is not numeric or is missing;
    ``text`` maps a row to the value exactly as the source wrote it (text values, and decimals that a
    float would change); ``quality`` is uint8 (:class:`Quality`); ``frame`` maps a row to the hash of its
    raw frame.
    """

    tenant: str
    gateway: str
    received_at: int
    series: tuple[Series, ...]
    index: NDArray[np.uint32]
    observed_at: NDArray[np.int64]
    number: NDArray[np.float64]
    quality: NDArray[np.uint8]
    text: Mapping[int, str] = field(default_factory=dict[int, str])
    frame: Mapping[int, str] = field(default_factory=dict[int, str])

    def __len__(self) -> int:
        return len(self.index)
