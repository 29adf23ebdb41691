"""GB/T 32960.3 电动汽车远程服务与管理: electric vehicles and the platforms that pass their data on."""

from collections.abc import Coroutine
from typing import Any

from yunmeng.kernel.sense import Gateway, Session, Simulation, Station


def _session(station: Station) -> Session:
    from yunmeng.gateways.gbt32960.session import Gbt32960Session

    return Gbt32960Session(station)


def _simulate(simulation: Simulation) -> Coroutine[Any, Any, int]:
    from yunmeng.gateways.gbt32960.simulator import simulate

    return simulate(simulation)


GATEWAY = Gateway("gbt32960", {"tcp": 32960}, session=_session, simulate=_simulate)
