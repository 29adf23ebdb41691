"""The route table as a tree of path segments."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from yunmeng.kernel.serve.routes import Route

_NAME = re.compile(r"\{(\w+)(?::path)?\}")


@dataclass(slots=True)
class _Node:
    literal: "dict[str, _Node]" = field(default_factory=dict[str, "_Node"])
    parameter: "_Node | None" = None
    rest: "_Node | None" = None
    rows: dict[str, Route] = field(default_factory=dict[str, Route])


@dataclass(frozen=True, slots=True)
class Match:
    """The rows of one address by method, and the values of its parameters in order, percent-decoded."""

    rows: Mapping[str, Route]
    values: tuple[str, ...]

    @property
    def allow(self) -> str:
        """The methods that the address answers, as the ``Allow`` header says them."""
        methods = {*self.rows, "OPTIONS"}
        return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


class PathTable:
    """Finds the rows of an address; ``{name}`` stands for one segment, ``{name:path}`` for the rest.

    An encoded ``/`` inside a segment does not split it.
    A trailing slash means the same address.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        self._names = {route.path: tuple(_NAME.findall(route.path)) for route in self.routes}
        for route in self.routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for part in route.path.strip("/").split("/"):
            node = _child(node, part)
        if route.method in node.rows:
            raise ValueError(f"two routes for {route.method} {route.path}")
        node.rows[route.method] = route

    def parameters(self, route: Route, match: Match) -> dict[str, str]:
        """Names the values of a match as the route names them."""
        return dict(zip(self._names[route.path], match.values, strict=True))

    def find(self, raw_path: str) -> Match | None:
        """Returns what answers the raw (still percent-encoded) path, None when nothing does."""
        node, values = self._root, ()
        rest: Match | None = None
        parts = raw_path.strip("/").split("/")
        for number, part in enumerate(parts):
            if node.rest is not None:
                rest = Match(node.rest.rows, (*values, unquote("/".join(parts[number:]))))
            found = node.literal.get(part)
            # an empty id in the middle reaches the handler, which refuses it as what it is: a bad id
            if found is None and node.parameter is not None and (part or 0 < number < len(parts) - 1):
                found = node.parameter
                values = (*values, unquote(part) if "%" in part else part)
            if found is None:
                return rest
            node = found
        return Match(node.rows, values) if node.rows else rest


def _child(node: _Node, part: str) -> _Node:
    if not part.startswith("{"):
        return node.literal.setdefault(part, _Node())
    if part.endswith(":path}"):
        node.rest = node.rest or _Node()
        return node.rest
    node.parameter = node.parameter or _Node()
    return node.parameter
