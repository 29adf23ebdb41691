"""The equivalent continuous sound level, without a node."""

import math
from collections.abc import Sequence


def equivalent(levels: Sequence[float]) -> float:
    """Returns Leq: the level (dB) of a steady sound with the same energy as levels at even intervals."""
    return 10 * math.log10(sum(10 ** (level / 10) for level in levels) / len(levels))
