"""The array types of the water register: float64 and int64, the shape told by each function."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Numbers = npt.ArrayLike


def listed(values: Ints) -> list[int]:
    """Returns a row of whole numbers as a list of Python's own."""
    return [int(each) for each in values]


def upto(count: int) -> Ints:
    """Returns 0 … count − 1."""
    return np.arange(count, dtype=np.int64)
