"""Which values a node has indexed before anybody asks for them."""

from yunmeng.kernel.base import Settings
from yunmeng.kernel.model import Context, TypeLibrary


def wished_indexes(settings: Settings, library: TypeLibrary) -> frozenset[str]:
    """Returns the URIs of the attributes that tables of types and the settings want indexed."""
    named = (name.strip() for name in settings.state.indexed.split(","))
    return library.indexed | {_uri(name, library) for name in named if name}


def _uri(name: str, library: TypeLibrary) -> str:
    """Returns the URI of an attribute that a table knows, or else what the core context makes of the name."""
    known = library.attribute(name)
    return known.uri if known is not None else Context((), ()).expand(name)
