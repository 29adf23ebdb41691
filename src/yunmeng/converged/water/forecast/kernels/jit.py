"""The one place that speaks to numba, which has no types of its own."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba  # pyright: ignore[reportMissingTypeStubs]

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compiles a loop over plain arrays once a machine (the machine code is kept on disk).

    The loops release the interpreter's lock and are spread by threads of our own: numba's own parallel
    layers either forbid calls from two threads or do not survive a fork.
    """
    make = cast(
        Callable[[Function], Function],
        numba.njit(cache=True, nogil=True, error_model="numpy"),  # pyright: ignore[reportUnknownMemberType]
    )
    return make(function)
