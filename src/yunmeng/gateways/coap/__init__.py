"""CoAP 低功耗物联 (RFC 7252): devices that report, that are observed, that sleep (NB-IoT)."""

from yunmeng.gateways.coap.session import CoapSession
from yunmeng.gateways.coap.simulator import simulate
from yunmeng.kernel.base import BadInput, nearest
from yunmeng.kernel.sense import Gateway, Hub

_PORTS = {"udp": 5683, "tcp": 5683, "dtls": 5684, "connect": 5683}


async def serve_coap(hub: Hub) -> None:
    """Meets devices until it is cancelled: as a server (``udp``, ``tcp``, ``dtls``) or client (``connect``).

    Raises:
        BadInput: ``sense.transport``, ``sense.option``.
        Unavailable: ``sense.extra`` without aiocoap, or without DTLSSocket for ``dtls``; ``sense.port``.
    """
    from yunmeng.gateways.coap.observing import observe
    from yunmeng.gateways.coap.serving import serve

    transport = hub.listen.transport
    if transport not in _PORTS:
        near = nearest(transport, _PORTS)
        raise BadInput("sense.transport", name=transport, known=", ".join(_PORTS), nearest=near)
    await (observe if transport == "connect" else serve)(hub)


GATEWAY = Gateway("coap", _PORTS, session=CoapSession, run=serve_coap, simulate=simulate)
