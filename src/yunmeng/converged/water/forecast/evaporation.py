"""Potential evaporation where only the temperature is known."""

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Numbers


def radiation(day_of_year: Numbers, latitude: float) -> Floats:
    """Returns radiation at the top of the atmosphere, MJ/m² a day (Allen et al. 1998, FAO 56, eq. 21).

    Args:
        day_of_year: 1 to 366.
        latitude: degrees, north positive.
    """
    angle = 2 * np.pi * np.asarray(day_of_year, np.float64) / 365
    tilt, phi = 0.409 * np.sin(angle - 1.39), np.deg2rad(latitude)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(tilt), -1, 1))
    near = 1 + 0.033 * np.cos(angle)
    sun = sunset * np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.sin(sunset)
    return 24 * 60 / np.pi * 0.0820 * near * sun


def oudin(temperature: Numbers, day_of_year: Numbers, latitude: float) -> Floats:
    """Returns potential evaporation in mm a day (Oudin et al. 2005, Journal of Hydrology 303, 290-306).

    Args:
        temperature: daily mean in °C.
        day_of_year: 1 to 366, the same shape.
        latitude: degrees, north positive.
    """
    warm = np.asarray(temperature, np.float64) + 5
    return np.maximum(0.0, radiation(day_of_year, latitude) * warm / (100 * 2.45))
