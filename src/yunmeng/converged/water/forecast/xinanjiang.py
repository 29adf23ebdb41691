"""The three-source Xin'anjiang model 三水源新安江模型 (Zhao 1992), any step up to a day."""

import numpy as np

from yunmeng.converged.water.forecast.model import Kernel, Model, Parameter
from yunmeng.converged.water.forecast.shapes import Floats

_STORES = ("WU", "WL", "WD", "S", "FR", "QI", "QG", "Q")


def _kernel() -> Kernel:
    from yunmeng.converged.water.forecast.kernels.xinanjiang import xinanjiang

    return xinanjiang


def _reach(params: Floats) -> int:
    return int(params[..., 14].max()) + 2


def _begin(params: Floats) -> Floats:
    states = np.zeros((*params.shape[:2], len(_STORES)))
    # half wet, as tables of antecedent water begin; a warm-up makes the choice harmless
    states[..., :3] = 0.5 * params[..., 3:6]
    return states


def _store(states: Floats, params: Floats, step_hours: float) -> Floats:
    """Linear reservoirs hold C/(1−C) of their outflow; layers and free water lie under the pervious part."""
    share = step_hours / 24
    ci, cg, cs = params[..., 11] ** share, params[..., 12] ** share, params[..., 13]
    soil = states[..., :3].sum(axis=-1) + states[..., 3] * states[..., 4]
    rivers = states[..., 5] * ci / (1 - ci) + states[..., 6] * cg / (1 - cg) + states[..., 7] * cs / (1 - cs)
    return soil * (1 - params[..., 6]) + rivers + states[..., 8:].sum(axis=-1)


def _ceiling(params: Floats) -> Floats:
    top = np.full((*params.shape[:2], len(_STORES)), np.inf)
    top[..., :3] = params[..., 3:6]
    top[..., 3] = params[..., 7]
    top[..., 4] = 1.0
    return top


def _rules(params: Floats) -> str:
    return "" if (params[..., 9] + params[..., 10] < 1).all() else "KI + KG < 1"


XINANJIANG = Model(
    name="Xin'anjiang",
    parameters=(
        Parameter("K", "", 0.1, 2.0, 0.5, 1.4),
        Parameter("B", "", 0.01, 2.0, 0.1, 0.6),
        Parameter("C", "", 0.0, 1.0, 0.05, 0.25),
        Parameter("WUM", "mm", 1, 100, 5, 40),
        Parameter("WLM", "mm", 1, 300, 50, 100),
        Parameter("WDM", "mm", 1, 300, 10, 80),
        Parameter("IM", "", 0, 0.9, 0, 0.05),
        Parameter("SM", "mm", 1, 200, 5, 80),
        Parameter("EX", "", 0.1, 3.0, 0.5, 2.0),
        Parameter("KI", "1/d", 0.001, 0.99, 0.01, 0.45),
        Parameter("KG", "1/d", 0.001, 0.99, 0.01, 0.45),
        Parameter("CI", "1/d", 0, 0.999, 0.2, 0.95),
        Parameter("CG", "1/d", 0, 0.9999, 0.9, 0.998),
        Parameter("CS", "1/step", 0, 0.999, 0, 0.9),
        Parameter("L", "step", 0, 240, 0, 3),
    ),
    stores=_STORES,
    lines=1,
    steps_hours=(),
    reach=_reach,
    begin=_begin,
    store=_store,
    ceiling=_ceiling,
    rules=_rules,
    kernel=_kernel,
)
"""Saturation excess by the tension-water curve (B), evaporation from three layers (WUM, WLM, WDM; C), the
runoff split by a free-water store (SM, EX; KI, KG) into surface, inter- and groundwater flow, linear
reservoirs (CI, CG), and lag-and-route for the river (L, CS). KI, KG, CI and CG are of a day and turned into
the step's as in Zhao's tables; CS and L are the step's own. IM is the paved share, K turns pan into
potential evaporation.

Zhao, R.-J. (1992), The Xinanjiang model applied in China, Journal of Hydrology 135, 371-381;
赵人俊 (1984), 流域水文模拟, 水利电力出版社.
"""
