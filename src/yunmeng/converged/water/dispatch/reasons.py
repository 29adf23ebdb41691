"""Why each release is what it is: the limit that binds each reservoir at each step, in both languages."""

from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.dispatch.limits import number
from yunmeng.converged.water.dispatch.plan import Plan
from yunmeng.converged.water.dispatch.rules import guarding
from yunmeng.converged.water.register.arrays import Bools, Floats, Ints, upto
from yunmeng.kernel.base import Language, sentence

# in the order in which they speak: the outlets, then permits, then storages, then what lies downstream
KINDS = (
    "spill",
    "capacity",
    "ramp_up",
    "ramp_down",
    "ecology",
    "shut",
    "top",
    "dead",
    "level",
    "protect",
    "target",
    "free",
)
_SMALL = 1e-7


@dataclass(frozen=True, slots=True)
class Reason:
    """What binds a release: ``bound`` in m³/s or 10⁶ m³ by its kind, ``point`` the place downstream."""

    kind: str
    bound: float
    point: str = ""

    def words(self, lang: Language = "zh-CN") -> str:
        """Says it in a sentence."""
        facts = {"bound": number(self.bound), "point": self.point}
        return sentence(f"water.dispatch.reason.{self.kind}", facts, lang)


@dataclass(frozen=True, slots=True)
class Reasons:
    """``kind`` (N, T) is an index of ``KINDS`` (-1: a control point), ``bound`` (N, T) the limit's value."""

    kind: Ints
    bound: Floats
    point: Ints
    plan: Plan

    def of(self, node: int, step: int) -> Reason:
        """Returns the reason of one release."""
        at = int(self.point[node])
        name = self.plan.system.names[at] if at >= 0 else ""
        return Reason(KINDS[int(self.kind[node, step])], float(self.bound[node, step]), name)


def reasons(plan: Plan) -> Reasons:
    """Finds for each release the limit that is reached and has a price; what nothing binds is ``free``.

    A limit binds where its row or bound carries a price, or where the release stands on it; for a point
    downstream: where its flow is at or over the safe flow when this water arrives there.
    """
    system, price = plan.system, plan.prices
    none = np.zeros(plan.release.shape)
    guard = guarding(system)
    before = np.concatenate([plan.horizon.past[:, -1:], plan.release[:, :-1]], axis=1)

    def priced(kind: str) -> Bools:
        return np.abs(price.get(kind, none)) > _SMALL

    ramp = price.get("ramp", none)
    storage = price.get("storage", none)
    least = system.release_min[:, None]
    protects = _protects(plan, guard.point, guard.lag)
    last = upto(plan.horizon.steps) == plan.horizon.steps - 1
    held: list[tuple[Bools, Floats]] = [
        (priced("spill"), plan.release),
        (priced("capacity"), plan.release),
        (ramp < -_SMALL, before + system.ramp_up[:, None]),
        (ramp > _SMALL, before - system.ramp_down[:, None]),
        (priced("ecology") | ((least > 0) & np.isclose(plan.release, least, atol=1e-6)), least + none),
        (plan.release <= 1e-6, none),
        ((storage < -_SMALL) | priced("top"), system.storage_max[:, None] + none),
        ((storage > _SMALL) | priced("dead"), system.storage_min[:, None] + none),
        (priced("level"), plan.horizon.limit),
        (protects, np.where(guard.point >= 0, system.safe[guard.point], 0.0)[:, None] + none),
        (priced("target") & last | _steered(plan), np.nan_to_num(plan.horizon.target)[:, None] + none),
    ]
    kind: Ints = np.full(plan.release.shape, len(KINDS) - 1, np.int64)
    bound = plan.release.copy()
    for number_ in range(len(held) - 1, -1, -1):
        binds, value = held[number_]
        kind = np.where(binds, number_, kind)
        bound = np.where(binds, value, bound)
    kind[~system.reservoir] = -1
    return Reasons(kind, bound, guard.point, plan)


def _protects(plan: Plan, point: Ints, lag: Ints) -> Bools:
    """Where the point that a reservoir guards is full when its water of this step arrives."""
    system, steps = plan.system, plan.horizon.steps
    full = plan.release >= system.safe[:, None] * (1 - 1e-6)
    arrives = np.minimum(upto(steps) + lag[:, None], steps - 1)
    there = np.take_along_axis(full[np.maximum(point, 0)], arrives, axis=1)
    return there & (point >= 0)[:, None]


def _steered(plan: Plan) -> Bools:
    """Where the storage wanted at the end decides from here on: its price reaches back unchanged."""
    target = plan.prices.get("target")
    if target is None:
        return np.zeros(plan.release.shape, np.bool_)
    water = plan.prices.get("balance", np.zeros(plan.release.shape))
    return np.isclose(water, water[:, -1:], atol=1e-9) & (np.abs(target[:, -1:]) > _SMALL)
