"""Headers and parameters of a request, read once: the hot paths ask for several and find few."""

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Scope

HEADERS = "yunmeng.headers"


class _NoParameters(QueryParams):
    """No parameters, found out at once."""

    def get(self, key: str, default: object = None) -> Any:
        return default


_NO_PARAMETERS = _NoParameters("")


def read_headers(scope: Scope) -> None:
    """Puts the headers by name into the scope; repeated ones are joined as RFC 9110 §5.3 says."""
    raw: Iterable[tuple[bytes, bytes]] = scope["headers"]
    found: dict[bytes, bytes] = {}
    for name, value in raw:
        found[name] = found[name] + b", " + value if name in found else value
    scope[HEADERS] = found


def header(request: Request, name: bytes) -> str | None:
    """Returns a header by its name in lower case."""
    value: bytes | None = request.scope[HEADERS].get(name)
    return None if value is None else value.decode("latin-1")


def parameters_of(request: Request) -> QueryParams:
    """Returns the query parameters."""
    return request.query_params if request.scope["query_string"] else _NO_PARAMETERS
