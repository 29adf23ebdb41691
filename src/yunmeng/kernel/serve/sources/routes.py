"""The routes of NGSI-LD with context sources: their registrations, and operations shared with them."""

from dataclasses import replace

from yunmeng.kernel.serve.ngsild import NGSI_LD_ROUTES as LOCAL_ROUTES
from yunmeng.kernel.serve.ngsild.snapshot_scope import snapshotted
from yunmeng.kernel.serve.routes import Route
from yunmeng.kernel.serve.sources import endpoints, relaying
from yunmeng.kernel.serve.sources.batching import distributed_batch, distributed_purge
from yunmeng.kernel.serve.sources.circles import refusing_circles
from yunmeng.kernel.serve.sources.consuming import distributed_evolution, distributed_read
from yunmeng.kernel.serve.sources.discovering import distributed_discovery
from yunmeng.kernel.serve.sources.legs import PATH as NOTIFICATIONS
from yunmeng.kernel.serve.sources.subscribing import SOURCE_SUBSCRIPTIONS
from yunmeng.kernel.serve.sources.writing import Share, distributed_write

_REGISTRATION = f"{endpoints.PATH}/{{id}}"

SOURCE_ROUTES: tuple[Route, ...] = (
    Route("POST", endpoints.PATH, "source.write", endpoints.create),
    Route("GET", endpoints.PATH, "source.read", endpoints.list_),
    Route("GET", _REGISTRATION, "source.read", endpoints.retrieve),
    Route("PATCH", _REGISTRATION, "source.write", endpoints.update),
    Route("DELETE", _REGISTRATION, "source.write", endpoints.delete),
    *SOURCE_SUBSCRIPTIONS.routes(),
    Route("POST", NOTIFICATIONS, "notification.receive", relaying.receive),
)

_ROOT = "/ngsi-ld/v1"
_ENTITY = f"{_ROOT}/entities/{{id}}"

_ATTRS = f"{_ENTITY}/attrs"
_ATTRIBUTE = f"{_ATTRS}/{{attribute}}"

_WRITES = {
    ("POST", f"{_ROOT}/entities"): Share("createEntity"),
    ("PUT", _ENTITY): Share("replaceEntity"),
    ("PATCH", _ENTITY): Share("mergeEntity"),
    ("DELETE", _ENTITY): Share("deleteEntity", body="none"),
    ("POST", _ATTRS): Share("appendAttrs", answer="attributes"),
    ("PATCH", _ATTRS): Share("updateEntity", answer="attributes"),
    ("PATCH", _ATTRIBUTE): Share("updateAttrs", body="attribute", answer="attributes"),
    ("PUT", _ATTRIBUTE): Share("replaceAttrs", body="attribute", answer="attributes"),
    ("DELETE", _ATTRIBUTE): Share("deleteAttrs", body="none", answer="attributes"),
}
_BATCH = {
    f"{_ROOT}/entityOperations/{name}": f"{name}Batch"
    for name in ("create", "upsert", "update", "merge", "delete")
}
_DISCOVERY = {
    f"{_ROOT}/types": "EntityType",
    f"{_ROOT}/types/{{type}}": "EntityType",
    f"{_ROOT}/attributes": "AttrType",
    f"{_ROOT}/attributes/{{attribute}}": "AttrType",
}
_EVOLUTIONS = frozenset(
    (
        ("GET", f"{_ROOT}/temporal/entities"),
        ("GET", f"{_ROOT}/temporal/entities/{{id}}"),
        ("POST", f"{_ROOT}/temporal/entityOperations/query"),
        ("GET", f"{_ROOT}/temporal/entityMaps"),
    )
)
_QUERY = frozenset(
    (
        ("GET", f"{_ROOT}/entities"),
        ("POST", f"{_ROOT}/entityOperations/query"),
        ("GET", f"{_ROOT}/entityMaps"),
        ("POST", f"{_ROOT}/snapshots"),
    )
)


def distributed(route: Route) -> Route:
    """Returns a route whose operation is shared with context sources, where the standard has it so."""
    if (route.method, route.path) in _QUERY:
        return replace(route, handler=distributed_read(route.handler))
    if (route.method, route.path) == ("GET", _ENTITY):
        return replace(route, handler=distributed_read(route.handler))
    if (route.method, route.path) == ("POST", f"{_ROOT}/subscriptions"):
        return replace(route, handler=refusing_circles(route.handler))
    if route.path in _DISCOVERY:
        return replace(route, handler=distributed_discovery(route.handler, _DISCOVERY[route.path]))
    if (route.method, route.path) in _EVOLUTIONS:
        return replace(route, handler=distributed_evolution(route.handler))
    if route.path in _BATCH:
        return replace(route, handler=distributed_batch(route.handler, _BATCH[route.path]))
    if (route.method, route.path) == ("DELETE", f"{_ROOT}/entities"):
        return replace(route, handler=distributed_purge(route.handler))
    share = _WRITES.get((route.method, route.path))
    return replace(route, handler=distributed_write(route.handler, share)) if share else route


NGSI_LD_ROUTES: tuple[Route, ...] = (
    *(snapshotted(distributed(route)) for route in LOCAL_ROUTES),
    *SOURCE_ROUTES,
)
