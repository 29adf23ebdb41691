"""Spreads rows over the cores: the compiled loops hold no interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def spread(rows: int, part: Callable[[int, int], None], *, threads: int = 0) -> None:
    """Calls ``part(first, last)`` over all rows; ``threads`` 0 is one a core."""
    count = min(rows, threads or os.cpu_count() or 1)
    if count <= 1:
        part(0, rows)
        return
    cuts = [rows * i // count for i in range(count + 1)]
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(part, first, last) for first, last in pairwise(cuts)]:
            done.result()
