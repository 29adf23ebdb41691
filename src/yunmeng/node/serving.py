"""What the HTTP handlers of a node work with."""

from yunmeng.kernel.model import ContextLibrary
from yunmeng.kernel.serve import Services
from yunmeng.kernel.store import open_objects
from yunmeng.kernel.trust import Policy
from yunmeng.node.parts import Parts, type_library


def services(parts: Parts) -> Services:
    """Returns what the HTTP handlers use."""
    return Services(
        settings=parts.settings,
        bus=parts.bus,
        state=parts.state,
        history=parts.history,
        objects=open_objects(parts.settings),
        policy=Policy(parts.settings.node.division, parts.folder.path / "policies"),
        accounts=parts.accounts(),
        contexts=ContextLibrary(parts.settings.contexts, private=parts.settings.http.private_contexts),
        types=type_library(),
    )
