"""The context sources of a node as one api process sees them."""

from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.heading import HEADERS
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.siblings import Siblings
from yunmeng.kernel.serve.sources.forwarding import Forwarder, Origin
from yunmeng.kernel.serve.sources.registry import Registry, alias_in


class Sources:
    """The registrations, and the way to the sources behind them."""

    def __init__(self, services: Services, siblings: Siblings) -> None:
        self.registry = Registry(services, siblings)
        self.forwarder = Forwarder(siblings)

    async def close(self) -> None:
        """Stops following the bus and closes the connections to sources."""
        await self.registry.close()
        await self.forwarder.close()


def sources_of(call: Call) -> Sources:
    """Returns the sources at whose desk the call is handled."""
    return desk(call).sources


def alias_of(call: Call) -> str:
    """Returns the name by which this broker knows itself in ``Via``, one a tenant (§5.2.9, §6.3.18)."""
    return alias_in(sources_of(call).registry.alias, call.tenant)


def origin_of(call: Call) -> Origin:
    """Returns what forwarded requests must know of the call."""
    return Origin(call.tenant, call.request.scope[HEADERS], alias_of(call))
