"""Real-time correction 实时校正 by the errors of the forecast just seen: autoregression AR(p)."""

from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput


@dataclass(frozen=True, slots=True)
class Autoregression:
    """e(t) = a₁ e(t−1) + … + aₚ e(t−p) for the error e = observed − simulated.

    ``spread`` is the standard deviation of what the past does not tell; ``information`` (P) serves the
    update.
    """

    coefficients: Floats
    spread: float
    information: Floats

    @property
    def order(self) -> int:
        """How many past errors it looks at."""
        return self.coefficients.size

    def errors(self, past: Numbers, steps: int) -> Floats:
        """Returns the errors to expect in the next steps, given the last ones (oldest first).

        Raises:
            BadInput: ``forecast.record.none`` when fewer than p past errors are known.
        """
        known = np.asarray(past, np.float64)[-self.order :]
        if known.size < self.order or not np.isfinite(known).all():
            raise BadInput("forecast.record.none", steps=int(np.isfinite(known).sum()))
        line = list(known)
        for _ in range(steps):
            line.append(float(np.dot(self.coefficients, line[: -self.order - 1 : -1])))
        return np.array(line[self.order :])

    def correct(self, forecast: Numbers, observed: Numbers, simulated: Numbers) -> Floats:
        """Adds the errors to expect to a forecast; never below zero.

        Args:
            forecast: (..., steps) of the coming steps.
            observed: of the last p steps or more.
            simulated: of the same steps.
        """
        ahead = np.asarray(forecast, np.float64)
        past = np.asarray(observed, np.float64) - np.asarray(simulated, np.float64)
        return np.maximum(0.0, ahead + self.errors(past, ahead.shape[-1]))

    def ahead(self, simulated: Numbers, observed: Numbers, lead: int) -> Floats:
        """Returns what each step would have been forecast as, ``lead`` steps before it.

        The rain up to the step is the one that fell; only the errors were not known yet. Where the errors
        before are not recorded, the simulation stands.

        Args:
            simulated: (steps,).
            observed: (steps,), NaN where missing.
            lead: steps, 1 and more.

        Raises:
            BadInput: ``forecast.shape`` when the lengths differ or the lead is not positive.
        """
        sim, obs = np.asarray(simulated, np.float64), np.asarray(observed, np.float64)
        if sim.shape != obs.shape or sim.ndim != 1 or lead < 1:
            raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=str(sim.shape))
        companion = np.eye(self.order, k=-1)
        companion[0] = self.coefficients
        weights: Floats = np.linalg.matrix_power(companion, lead)[0]
        error = np.concatenate((np.full(self.order + lead - 1, np.nan), obs - sim))
        expected = np.zeros(sim.size)
        for past, weight in enumerate(weights):
            last = error.size - lead - past
            expected += weight * error[last - sim.size : last]
        return np.maximum(0.0, sim + np.where(np.isfinite(expected), expected, 0.0))

    def updated(self, past: Numbers, error: float, forgetting: float = 0.99) -> "Autoregression":
        """Learns from one new error by recursive least squares; an error that is missing changes nothing.

        Args:
            past: the p errors before it, oldest first.
            error: the new one.
            forgetting: weight of each older step, in (0, 1].
        """
        x = np.asarray(past, np.float64)[-self.order :][::-1]
        if x.size < self.order or not (np.isfinite(x).all() and np.isfinite(error)):
            return self
        gain = self.information @ x / (forgetting + x @ self.information @ x)
        rest = float(error - x @ self.coefficients)
        information = (self.information - np.outer(gain, x @ self.information)) / forgetting
        spread = float(np.sqrt(forgetting * self.spread**2 + (1 - forgetting) * rest**2))
        return Autoregression(self.coefficients + gain * rest, spread, information)


def fit(observed: Numbers, simulated: Numbers, order: int = 2) -> Autoregression:
    """Fits AR(p) by least squares over all steps whose p forerunners are recorded.

    Args:
        observed: (steps,), NaN where missing.
        simulated: (steps,).
        order: p.

    Raises:
        BadInput: ``forecast.shape`` when the lengths differ, ``forecast.record.none`` when too few steps
            are left.
    """
    obs, sim = np.asarray(observed, np.float64), np.asarray(simulated, np.float64)
    if obs.shape != sim.shape or obs.ndim != 1:
        raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=str(sim.shape))
    error = obs - sim
    lagged = (
        np.lib.stride_tricks.sliding_window_view(error, order + 1) if error.size > order else np.empty((0, 1))
    )
    lagged = lagged[np.isfinite(lagged).all(axis=1)]
    if len(lagged) < 3 * order:
        raise BadInput("forecast.record.none", steps=len(lagged))
    x, y = lagged[:, -2::-1], lagged[:, -1]
    # a trace of damping, so that a faultless simulation leaves nothing to divide by
    information: Floats = np.linalg.inv(
        x.T @ x + 1e-12 * np.eye(order) * max(1.0, float((x**2).sum()))
    ).astype(np.float64)
    coefficients = information @ x.T @ y
    return Autoregression(coefficients, float((y - x @ coefficients).std()), information)
