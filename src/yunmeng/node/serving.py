"""What the HTTP handlers of a node and the packages' own work are given."""

from collections.abc import Awaitable, Callable, Iterator
from pkgutil import resolve_name
from typing import cast

from yunmeng.kernel.base import packages
from yunmeng.kernel.model import VOCABULARY_CONTEXT, ContextLibrary
from yunmeng.kernel.serve import Services
from yunmeng.kernel.store import open_objects
from yunmeng.kernel.trust import Policy
from yunmeng.node.parts import Parts, type_library


def services(parts: Parts) -> Services:
    """Returns what the HTTP handlers use."""
    types = type_library()
    own = {VOCABULARY_CONTEXT: types.context()}
    return Services(
        settings=parts.settings,
        bus=parts.bus,
        state=parts.state,
        history=parts.history,
        objects=open_objects(parts.settings),
        policy=Policy(parts.settings.node.division, parts.folder.path / "policies"),
        accounts=parts.accounts(),
        contexts=ContextLibrary(
            parts.settings.contexts, private=parts.settings.http.private_contexts, own=own
        ),
        types=types,
    )


def package_work(shared: Services) -> Iterator[Awaitable[None]]:
    """Yields what the packages do in the worker process, each until it is cancelled."""
    for package in packages():
        for target in package.work:
            work = cast("Callable[[Services], Awaitable[None]]", resolve_name(target))
            yield work(shared)
