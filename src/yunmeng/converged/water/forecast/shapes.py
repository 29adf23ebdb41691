"""The arrays of this library: float64, (basins, members, steps), water as mm a step."""

from typing import Any

import numpy as np
import numpy.typing as npt

from yunmeng.kernel.base import BadInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Numbers = npt.ArrayLike
_SECONDS = 3600.0


def cube(values: Numbers, name: str) -> Floats:
    """Returns values as (basins, members, steps): a series is one basin and one member.

    Raises:
        BadInput: ``forecast.shape`` for nothing, for more than three dimensions and for what is no number.
    """
    try:
        array: npt.NDArray[Any] = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput("forecast.shape", name=name, found=type(values).__name__, wanted="numbers") from error
    if array.ndim == 0 or array.ndim > 3 or array.size == 0:
        raise BadInput("forecast.shape", name=name, found=array.shape, wanted="(basins, members, steps)")
    if array.ndim < 3:  # (basins, steps) has one member
        array = array.reshape(array.shape[0] if array.ndim == 2 else 1, 1, array.shape[-1])
    return np.require(array, np.float64, ["C", "W"])


def to_discharge(depth: Numbers, area_km2: Numbers, step_hours: float) -> Floats:
    """Turns mm a step into m³/s; ``area_km2`` is a number or fits the leading axes."""
    return np.asarray(depth, np.float64) * np.asarray(area_km2, np.float64) * 1000 / (step_hours * _SECONDS)


def to_depth(discharge: Numbers, area_km2: Numbers, step_hours: float) -> Floats:
    """Turns m³/s into mm a step: the inverse of :func:`to_discharge`."""
    return np.asarray(discharge, np.float64) * step_hours * _SECONDS / np.asarray(area_km2, np.float64) / 1000
