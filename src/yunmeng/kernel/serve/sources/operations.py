"""Which operations a context source may offer, singly and in groups (ETSI GS CIM 009 §4.20)."""

_READ = ("retrieveEntity", "queryEntity", "queryBatch")
_DISCOVER = (
    *("retrieveEntityTypes", "retrieveEntityTypeDetails", "retrieveEntityTypeInfo"),
    *("retrieveAttrTypes", "retrieveAttrTypeDetails", "retrieveAttrTypeInfo"),
)
_SUBSCRIBE = (
    *("createSubscription", "updateSubscription", "retrieveSubscription"),
    *("querySubscription", "deleteSubscription"),
)
_MAPS = ("createEntityMap", "queryEntityMap", "retrieveEntityMap", "updateEntityMap", "deleteEntityMap")
_UPDATE = ("updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs")
_CHANGE = (
    *_UPDATE,
    "createEntity",
    "appendAttrs",
    "deleteAttrs",
    "deleteEntity",
    "mergeEntity",
    "purgeEntity",
)
_BATCH = ("createBatch", "upsertBatch", "updateBatch", "deleteBatch", "mergeBatch")
_TEMPORAL = (
    *("retrieveTemporal", "queryTemporal", "upsertTemporal", "deleteTemporal", "appendAttrsTemporal"),
    *("deleteAttrsTemporal", "updateAttrInstanceTemporal", "deleteAttrInstanceTemporal"),
)
_SNAPSHOTS = ("createSnapshot", "cloneSnapshot", "retrieveSnapshot", "updateSnapshot", "deleteSnapshot")

GROUPS: dict[str, frozenset[str]] = {
    "federationOps": frozenset((*_READ, *_DISCOVER, *_SUBSCRIBE, *_MAPS)),
    "updateOps": frozenset(_UPDATE),
    "retrieveOps": frozenset(("retrieveEntity", "queryEntity")),
    "redirectionOps": frozenset((*_CHANGE, "retrieveEntity", "queryEntity", *_DISCOVER)),
}
OPERATIONS = frozenset(
    (*_READ, *_DISCOVER, *_SUBSCRIBE, *_MAPS, *_CHANGE, *_BATCH, *_TEMPORAL, *_SNAPSHOTS, "purgeSnapshots")
)
AUXILIARY = frozenset(("retrieveOps", "retrieveEntity", "queryEntity"))


def resolved(names: frozenset[str]) -> frozenset[str]:
    """Returns the single operations behind a registration's ``operations``; federationOps without any."""
    if not names:
        return GROUPS["federationOps"]
    return frozenset(one for name in names for one in GROUPS.get(name, (name,)))
