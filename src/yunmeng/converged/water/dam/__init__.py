"""Dam safety 大坝安全: statistical models of what instruments show, and when they depart from them."""

from yunmeng.converged.water.dam.hst import Hst, Parts, fit_hst
from yunmeng.converged.water.dam.watch import Verdict, Watch, watch

__all__ = ["Hst", "Parts", "Verdict", "Watch", "fit_hst", "watch"]
