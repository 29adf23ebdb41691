"""GR5J: GR4J with an exchange that may change its sign (Le Moine 2008)."""

from yunmeng.converged.water.forecast.gr4j import X1, X2, X3, X4, begin, ceiling, reach, store
from yunmeng.converged.water.forecast.model import Kernel, Model, Parameter


def _kernel() -> Kernel:
    from yunmeng.converged.water.forecast.kernels.gr import gr5j

    return gr5j


GR5J = Model(
    name="GR5J",
    parameters=(X1, X2, X3, X4, Parameter("X5", "", -5, 5, 0, 1.5)),
    stores=("production", "routing"),
    lines=1,
    steps_hours=(1.0, 24.0),
    reach=reach,
    begin=begin,
    store=store,
    ceiling=ceiling,
    rules=lambda params: "",
    kernel=_kernel,
)
"""As GR4J; water is exchanged by X2 (R/X3 − X5), and one unit hydrograph of base 2 X4 serves both branches.

Le Moine, N. (2008), Le bassin versant de surface vu par le souterrain, PhD thesis, Université Pierre et Marie
Curie, Paris; Pushpalatha et al. (2011), Journal of Hydrology 411, 66-76.
"""
