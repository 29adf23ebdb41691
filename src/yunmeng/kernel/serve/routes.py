"""Routes as rows: each names the action that the decision point must allow before its handler runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.trust import Principal, Reach

Language = Literal["zh-CN", "en"]


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: who asks, how far the principal sees, in which language to answer."""

    request: Request
    services: Services
    principal: Principal
    reach: Reach
    language: Language

    @property
    def tenant(self) -> str:
        """The tenant that the call is about (``NGSILD-Tenant``)."""
        return self.reach.tenant


RouteHandler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the route table; ``action`` is what Cedar decides, e.g. ``entity.read``.

    There is no unguarded route: what anybody may do (health, sign-in, the pages) has an action that the
    policy grants to the anonymous principal.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    action: str
    handler: RouteHandler
    summary: str = ""
