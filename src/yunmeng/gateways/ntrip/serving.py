"""Which side of NTRIP we are: a caster (``ntrip+tcp``), or a client of one (``ntrip+connect``)."""

from yunmeng.gateways.ntrip.client import serve_client
from yunmeng.gateways.ntrip.peers import serve_caster
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Hub


async def serve(hub: Hub) -> None:
    """Serves until it is cancelled. Raises ``BadInput("sense.transport")`` for another transport."""
    known = {"tcp": serve_caster, "connect": serve_client}
    work = known.get(hub.listen.transport)
    if work is None:
        raise BadInput("sense.transport", name=hub.listen.transport, known="tcp, connect", nearest="tcp")
    await work(hub)
