"""The one entrance: an operation and the present document give the next document."""

from yunmeng.kernel.model.apply.attributes import (
    append,
    delete_attribute,
    partial_update,
    replace_attribute,
    update,
)
from yunmeng.kernel.model.apply.draft import Applied, Draft, refused
from yunmeng.kernel.model.apply.entities import create, delete, replace
from yunmeng.kernel.model.apply.expiry import expire, is_expired
from yunmeng.kernel.model.apply.merge import merge
from yunmeng.kernel.model.operations import (
    Append,
    Create,
    Delete,
    DeleteAttribute,
    Document,
    Expire,
    Merge,
    Operation,
    PartialUpdate,
    Replace,
    ReplaceAttribute,
    Update,
    Upsert,
)


def apply(
    operation: Operation, current: Document | None, at_us: int, tenant: str = "", principal: str = ""
) -> Applied:
    """Returns what the operation makes of ``current`` (stored form, None when absent) at ``at_us`` (µs UTC).

    Nothing is changed in place. A refusal is an ``Outcome`` with ``error``, ``status`` and ``facts``:
    ``entity.exists`` (409), ``entity.unknown`` or ``attribute.unknown`` (404), ``attribute.kind-fixed`` or
    ``attribute.null`` (400).
    """
    whole = isinstance(operation, (Create, Upsert, Replace))
    id: str = operation.document["id"] if whole else operation.id
    if current is not None and whole and is_expired(current, at_us):
        # what has expired is absent, also while nobody has taken it away yet (§4.22)
        current = None
    draft = Draft(id, current or {}, at_us)
    if current is None:
        if not isinstance(operation, (Create, Upsert)):
            return refused(id, "entity.unknown", 404)
        create(operation.document, draft)
        return draft.finish(tenant, principal)
    if isinstance(operation, Delete) or (isinstance(operation, Expire) and is_expired(draft.before, at_us)):
        return delete(id, draft, tenant, principal)
    return _change(operation, draft) or draft.finish(tenant, principal)


def _change(operation: Operation, draft: Draft) -> Applied | None:
    match operation:
        case Create():
            return refused(draft.id, "entity.exists", 409)
        case Upsert(mode="replace") | Replace():
            replace(operation.document, draft)
        case Upsert():
            append(Append(draft.id, operation.document), draft)
        case Append():
            append(operation, draft)
        case Update():
            update(operation.fragment, draft)
        case Merge():
            merge(operation, draft)
        case PartialUpdate():
            return partial_update(operation, draft)
        case ReplaceAttribute():
            return replace_attribute(operation, draft)
        case DeleteAttribute():
            return delete_attribute(operation, draft)
        case Expire():
            expire(draft)
        case Delete():
            return None
    return None
