"""The HST model of a dam: hydrostatic, seasonal, irreversible (Willm and Beaujoint 1967; SL 551)."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import BadInput

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

_DAY_US = 86_400_000_000
_YEAR_DAYS = 365.2422
_LEVEL_POWERS = 4
_COLUMNS = 1 + _LEVEL_POWERS + 4 + 2
_ROWS_A_COLUMN = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model says at each moment, taken apart; the parts (shape (n,)) and ``constant`` add up."""

    constant: float
    water: Floats
    season: Floats
    time: Floats

    @property
    def whole(self) -> Floats:
        """The value that the model expects."""
        return self.constant + self.water + self.season + self.time


@dataclass(frozen=True, slots=True)
class Hst:
    """A fitted model; ``sigma`` is the standard deviation of its residuals, in the unit of what was measured.

    ``r2`` is the share of the variance that it explains. ``low`` and ``high`` bound the levels (m) seen in
    the fit: beyond them it extrapolates.
    """

    coefficients: tuple[float, ...]
    base: float
    scale: float
    begins: int
    low: float
    high: float
    sigma: float
    r2: float
    count: int

    def parts(self, times: Times, levels: Floats) -> Parts:
        """Takes apart what is expected at times (µs UTC) and reservoir levels (m), both of shape (n,)."""
        columns = _columns(times, levels, self.base, self.scale, self.begins)
        terms = columns * np.array(self.coefficients)
        water, season = 1 + _LEVEL_POWERS, 1 + _LEVEL_POWERS + 4
        return Parts(
            float(self.coefficients[0]),
            terms[:, 1:water].sum(axis=1),
            terms[:, water:season].sum(axis=1),
            terms[:, season:].sum(axis=1),
        )

    def expect(self, times: Times, levels: Floats) -> Floats:
        """Returns the value expected at each moment, shape (n,)."""
        return self.parts(times, levels).whole

    def holds(self, levels: Floats) -> NDArray[np.bool_]:
        """Tells where a level lies within those of the fit."""
        return (levels >= self.low) & (levels <= self.high)


def fit_hst(times: Times, levels: Floats, values: Floats) -> Hst:
    """Fits δ = c + Σ aᵢHⁱ (i ≤ 4) + b₁ sin s + b₂ cos s + b₃ sin² s + b₄ sin s cos s + c₁θ + c₂ ln(1 + θ).

    H is the level against its middle, s the season as an angle, θ the hundreds of days since the first
    reading. ``times`` in µs UTC, ``levels`` in m, ``values`` in any unit (NaN is left out), all of shape
    (n,). Least squares on standardised columns; a column that does not vary gets no coefficient.

    Raises:
        BadInput: ``water.shape``; ``water.few`` with fewer than 33 readings (three a coefficient).
    """
    if not times.shape == levels.shape == values.shape or times.ndim != 1:
        shape = f"{times.shape}, {levels.shape}, {values.shape}"
        raise BadInput("water.shape", name="times, levels, values", shape=shape, wanted="(n,)")
    good = ~np.isnan(values) & ~np.isnan(levels)
    times, levels, values = times[good], levels[good], values[good]
    if len(times) < _ROWS_A_COLUMN * _COLUMNS:
        raise BadInput("water.few", name="readings", count=len(times), wanted=_ROWS_A_COLUMN * _COLUMNS)
    low, high, begins = float(levels.min()), float(levels.max()), int(times.min())
    base, scale = (low + high) / 2, max((high - low) / 2, 1e-6)
    columns = _columns(times, levels, base, scale, begins)
    coefficients = _least_squares(columns, values)
    residual = values - columns @ coefficients
    spread = float(np.sum((values - values.mean()) ** 2))
    freedom = max(len(values) - int(np.count_nonzero(coefficients)), 1)
    sigma = float(np.sqrt(np.sum(residual**2) / freedom))
    r2 = 1.0 - float(np.sum(residual**2)) / spread if spread > 0 else 0.0
    return Hst(tuple(map(float, coefficients)), base, scale, begins, low, high, sigma, r2, len(values))


def _columns(times: Times, levels: Floats, base: float, scale: float, begins: int) -> Floats:
    height = (levels - base) / scale
    angle = 2 * np.pi * (times / _DAY_US) / _YEAR_DAYS
    theta = np.maximum((times - begins) / _DAY_US / 100.0, 0.0)
    sine, cosine = np.sin(angle), np.cos(angle)
    parts = [np.ones_like(height), *(height**power for power in range(1, _LEVEL_POWERS + 1))]
    parts += [sine, cosine, sine**2, sine * cosine, theta, np.log1p(theta)]
    return np.stack(parts, axis=1)


def _least_squares(columns: Floats, values: Floats) -> Floats:
    middle, spread = columns.mean(axis=0), columns.std(axis=0)
    varies = spread > 1e-12
    scaled = (columns[:, varies] - middle[varies]) / spread[varies]
    solved = cast("tuple[Floats, ...]", np.linalg.lstsq(scaled, values - values.mean(), rcond=1e-8))
    coefficients = np.zeros(columns.shape[1])
    coefficients[varies] = solved[0] / spread[varies]
    coefficients[0] = values.mean() - float(middle[varies] @ coefficients[varies])
    return coefficients
