"""How a part of the node looks beyond it: a state reader over this node and its sources."""

from collections.abc import Sequence

from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.asking import Asking, Sight
from yunmeng.kernel.serve.sources.forwarding import Forwarder, Origin
from yunmeng.kernel.serve.sources.reading import FederatedState
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.warnings import Warnings


def federated(
    services: Services,
    registrations: Sequence[Registration],
    forwarder: Forwarder,
    origin: Origin,
    asking: Asking,
) -> FederatedState:
    """Returns a state reader for one request; what goes wrong is told by its ``sight.warnings``."""
    sight = Sight(forwarder, origin, services.contexts, asking, Warnings(origin.alias))
    return FederatedState(services.state, registrations, sight, services.settings.node.division)
