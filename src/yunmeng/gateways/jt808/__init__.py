"""JT/T 808 道路运输车辆卫星定位终端: vehicles, farm machines, and the video signalling of JT/T 1078."""

from collections.abc import Coroutine
from typing import Any

from yunmeng.kernel.sense import Gateway, Session, Simulation, Station


def _session(station: Station) -> Session:
    from yunmeng.gateways.jt808.session import Jt808Session

    return Jt808Session(station)


def _simulate(simulation: Simulation) -> Coroutine[Any, Any, int]:
    from yunmeng.gateways.jt808.simulator import simulate

    return simulate(simulation)


GATEWAY = Gateway("jt808", {"tcp": 6808, "udp": 6808}, session=_session, simulate=_simulate)
