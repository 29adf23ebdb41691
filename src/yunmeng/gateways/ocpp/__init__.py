"""OCPP 充电桩: a central system for charging stations that speak OCPP 1.6J, 2.0.1 or 2.1 over WebSocket."""

from collections.abc import Coroutine
from typing import Any

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.sense import Gateway, Session, Simulation, Station


def _session(station: Station) -> Session:
    try:
        from yunmeng.gateways.ocpp.session import OcppSession
    except ModuleNotFoundError as cause:
        raise Unavailable("sense.extra", gateway="ocpp", library="ocpp", extra="ocpp") from cause
    return OcppSession(station)


def _simulate(simulation: Simulation) -> Coroutine[Any, Any, int]:
    try:
        from yunmeng.gateways.ocpp.simulator import simulate
    except ModuleNotFoundError as cause:
        raise Unavailable("sense.extra", gateway="ocpp", library="websockets", extra="ocpp") from cause
    return simulate(simulation)


GATEWAY = Gateway(
    "ocpp",
    {"ws": 9000, "wss": 9001},
    session=_session,
    simulate=_simulate,
    subprotocols=("ocpp2.1", "ocpp2.0.1", "ocpp1.6"),
)
