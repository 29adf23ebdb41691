"""NGSI-LD over HTTP (ETSI GS CIM 009 §6), cut by the standard's own nouns."""

from dataclasses import replace

from yunmeng.kernel.serve.ngsild import (
    attributes,
    batch,
    contexts,
    discovery,
    entities,
    entity_maps,
    purging,
    querying,
    snapshot_routes,
    snapshots,
    source_identity,
    temporal,
    temporal_provision,
)
from yunmeng.kernel.serve.ngsild.known import knowing
from yunmeng.kernel.serve.ngsild.subscriptions import ENTITY_SUBSCRIPTIONS
from yunmeng.kernel.serve.routes import Route

_ROOT = "/ngsi-ld/v1"
_ENTITY = f"{_ROOT}/entities/{{id}}"
_ATTRIBUTE = f"{_ENTITY}/attrs/{{attribute}}"
_BATCH = f"{_ROOT}/entityOperations"
_TEMPORAL = f"{_ROOT}/temporal/entities"
_TEMPORAL_ATTRIBUTE = f"{_TEMPORAL}/{{id}}/attrs/{{attribute}}"
_TEMPORAL_INSTANCE = f"{_TEMPORAL_ATTRIBUTE}/{{instance}}"
_ENTITY_MAP = f"{entity_maps.PATH}/{{id}}"
_SNAPSHOT = f"{snapshots.PATH}/{{id}}"

_ROUTES = (
    Route("POST", f"{_ROOT}/entities", "entity.write", entities.create),
    Route("GET", f"{_ROOT}/entities", "entity.read", querying.query),
    Route("DELETE", f"{_ROOT}/entities", "entity.delete", purging.purge),
    Route("PATCH", f"{_ROOT}/entities", "entity.write", entities.unnamed),
    Route("PUT", f"{_ROOT}/entities", "entity.write", entities.unnamed),
    Route("GET", _ENTITY, "entity.read", entities.retrieve),
    Route("PATCH", _ENTITY, "entity.write", entities.merge),
    Route("PUT", _ENTITY, "entity.write", entities.replace),
    Route("DELETE", _ENTITY, "entity.delete", entities.delete),
    Route("POST", f"{_ENTITY}/attrs", "entity.write", attributes.append),
    Route("PATCH", f"{_ENTITY}/attrs", "entity.write", attributes.update),
    Route("PATCH", _ATTRIBUTE, "entity.write", attributes.partial_update),
    Route("PUT", _ATTRIBUTE, "entity.write", attributes.replace),
    Route("DELETE", _ATTRIBUTE, "entity.write", attributes.delete),
    Route("POST", f"{_BATCH}/create", "entity.write", batch.create),
    Route("POST", f"{_BATCH}/upsert", "entity.write", batch.upsert),
    Route("POST", f"{_BATCH}/update", "entity.write", batch.update),
    Route("POST", f"{_BATCH}/merge", "entity.write", batch.merge),
    Route("POST", f"{_BATCH}/delete", "entity.delete", batch.delete),
    Route("POST", f"{_BATCH}/query", "entity.read", querying.query_by_body),
    Route("GET", entity_maps.PATH, "entity.read", querying.create_map),
    Route("GET", _ENTITY_MAP, "entity.read", entity_maps.retrieve),
    Route("PATCH", _ENTITY_MAP, "entity.read", entity_maps.update),
    Route("DELETE", _ENTITY_MAP, "entity.read", entity_maps.delete),
    Route("POST", snapshots.PATH, "entity.write", snapshot_routes.create),
    Route("DELETE", snapshots.PATH, "entity.delete", snapshot_routes.purge),
    Route("GET", _SNAPSHOT, "entity.read", snapshot_routes.retrieve),
    Route("PATCH", _SNAPSHOT, "entity.write", snapshot_routes.update),
    Route("DELETE", _SNAPSHOT, "entity.delete", snapshot_routes.delete),
    Route("POST", f"{_SNAPSHOT}/clone", "entity.write", snapshot_routes.clone),
    Route("GET", f"{_ROOT}/info/sourceIdentity", "entity.read", source_identity.identity),
    Route("GET", f"{_ROOT}/types", "entity.read", discovery.types),
    Route("GET", f"{_ROOT}/types/{{type}}", "entity.read", discovery.type_),
    Route("GET", f"{_ROOT}/attributes", "entity.read", discovery.attributes),
    Route("GET", f"{_ROOT}/attributes/{{attribute}}", "entity.read", discovery.attribute),
    Route("GET", _TEMPORAL, "temporal.read", temporal.query),
    Route("GET", f"{_TEMPORAL}/{{id}}", "temporal.read", temporal.retrieve),
    Route("GET", f"{_ROOT}/temporal/entityMaps", "temporal.read", temporal.create_map),
    Route("POST", f"{_ROOT}/temporal/entityOperations/query", "temporal.read", temporal.query_by_body),
    Route("POST", _TEMPORAL, "temporal.write", temporal_provision.create),
    Route("DELETE", f"{_TEMPORAL}/{{id}}", "temporal.write", temporal_provision.delete),
    Route("POST", f"{_TEMPORAL}/{{id}}/attrs", "temporal.write", temporal_provision.append),
    Route("DELETE", _TEMPORAL_ATTRIBUTE, "temporal.write", temporal_provision.delete_attribute),
    Route("PATCH", _TEMPORAL_INSTANCE, "temporal.write", temporal_provision.modify_instance),
    Route("DELETE", _TEMPORAL_INSTANCE, "temporal.write", temporal_provision.delete_instance),
    *ENTITY_SUBSCRIPTIONS.routes(),
    Route("POST", contexts.CONTEXTS, "context.write", contexts.add),
    Route("GET", contexts.CONTEXTS, "context.read", contexts.list_),
    Route("GET", f"{contexts.CONTEXTS}/{{id}}", "context.read", contexts.get),
    Route("DELETE", f"{contexts.CONTEXTS}/{{id}}", "context.write", contexts.delete),
)
NGSI_LD_ROUTES: tuple[Route, ...] = tuple(replace(row, handler=knowing(row.handler)) for row in _ROUTES)

__all__ = ["NGSI_LD_ROUTES"]
