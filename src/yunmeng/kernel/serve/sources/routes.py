"""The routes of NGSI-LD with context sources: their registrations, and operations shared with them."""

from yunmeng.kernel.serve.ngsild import NGSI_LD_ROUTES as LOCAL_ROUTES
from yunmeng.kernel.serve.routes import Route
from yunmeng.kernel.serve.sources import endpoints

_REGISTRATION = f"{endpoints.PATH}/{{id}}"

SOURCE_ROUTES: tuple[Route, ...] = (
    Route("POST", endpoints.PATH, "source.write", endpoints.create),
    Route("GET", endpoints.PATH, "source.read", endpoints.list_),
    Route("GET", _REGISTRATION, "source.read", endpoints.retrieve),
    Route("PATCH", _REGISTRATION, "source.write", endpoints.update),
    Route("DELETE", _REGISTRATION, "source.write", endpoints.delete),
)

NGSI_LD_ROUTES: tuple[Route, ...] = (*LOCAL_ROUTES, *SOURCE_ROUTES)
