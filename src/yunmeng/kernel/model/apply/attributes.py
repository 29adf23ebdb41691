"""Operations on attributes of an entity: append, update, partial update, replace, delete."""

from yunmeng.kernel.model.apply.draft import Applied, Draft, attributes_of, dataset_of, refused
from yunmeng.kernel.model.attribute_kinds import INSTANCE_MEMBERS, NULL, is_null
from yunmeng.kernel.model.core_context import NGSI_LD
from yunmeng.kernel.model.json_values import is_array
from yunmeng.kernel.model.operations import (
    Append,
    DeleteAttribute,
    Document,
    PartialUpdate,
    ReplaceAttribute,
)

_SCOPE = NGSI_LD + "scope"


def append(operation: Append, draft: Draft) -> None:
    """Adds attributes, types and scopes; what exists is replaced, or kept without ``overwrite`` (§5.6.3)."""
    fragment = operation.fragment
    draft.add_types(fragment.get("type", []))
    draft.set_expiry(fragment)
    scopes: list[str] = fragment.get("scope", [])
    if scopes and operation.overwrite:
        draft.set_scopes(scopes)
    elif scopes and scopes != [NULL]:
        draft.set_scopes(list(dict.fromkeys((*draft.document.get("scope", ()), *scopes))))
    for attribute, instances in attributes_of(fragment):
        for instance in instances:
            if not operation.overwrite and draft.find(attribute, dataset_of(instance)) is not None:
                draft.not_updated[attribute] = "attribute.exists"
            else:
                _put_or_drop(draft, attribute, instance)


def update(fragment: Document, draft: Draft) -> None:
    """Replaces attributes as whole instances and adds those that are missing (§5.6.2).

    A scope is replaced where there is one, and reported where there is none (§4.18).
    """
    draft.add_types(fragment.get("type", []))
    draft.set_expiry(fragment)
    if "scope" in fragment and "scope" not in draft.document:
        draft.not_updated["scope"] = "attribute.unknown"
    elif "scope" in fragment:
        draft.set_scopes(fragment["scope"])
    for attribute, instances in attributes_of(fragment):
        for instance in instances:
            _put_or_drop(draft, attribute, instance)


def partial_update(operation: PartialUpdate, draft: Draft) -> Applied | None:
    """Replaces the members named of one instance and keeps the others; the kind cannot change (§5.6.4)."""
    id, attribute, patch = operation.id, operation.attribute, operation.instance
    known = draft.find(attribute, dataset_of(patch))
    if known is None:
        return refused(id, "attribute.unknown", 404, attribute=attribute)
    if is_null(patch):
        draft.drop(attribute, dataset_of(patch))
        return None
    kind = patch.get("type", known["type"])
    if kind != known["type"]:
        return refused(id, "attribute.kind-fixed", 400, attribute=attribute, kind=known["type"])
    draft.put(attribute, _overwritten(known, patch))
    return None


def replace_attribute(operation: ReplaceAttribute, draft: Draft) -> Applied | None:
    """Puts a new instance in place of the old one (§5.6.19)."""
    if draft.find(operation.attribute, dataset_of(operation.instance)) is None:
        return refused(operation.id, "attribute.unknown", 404, attribute=operation.attribute)
    if is_null(operation.instance):
        return refused(operation.id, "attribute.null", 400, attribute=operation.attribute)
    draft.put(operation.attribute, operation.instance)
    return None


def delete_attribute(operation: DeleteAttribute, draft: Draft) -> Applied | None:
    """Removes the default instance, the one of a dataset, or all of them (§5.6.5)."""
    attribute = operation.attribute
    if attribute in ("scope", _SCOPE) and "scope" in draft.document:
        draft.set_scopes([])
        return None
    datasets = [operation.dataset_id]
    if operation.all:
        datasets = [dataset_of(instance) for instance in draft.document.get(attribute, ())]
    if not [dataset for dataset in datasets if draft.drop(attribute, dataset)]:
        return refused(operation.id, "attribute.unknown", 404, attribute=attribute)
    return None


def _put_or_drop(draft: Draft, attribute: str, instance: Document) -> None:
    if is_null(instance):
        if not draft.drop(attribute, dataset_of(instance)):
            draft.not_updated[attribute] = "attribute.unknown"
    else:
        draft.put(attribute, instance)


def _overwritten(known: Document, patch: Document) -> Document:
    result = dict(known)
    for key, value in patch.items():
        if value == NULL:
            result.pop(key, None)
        elif key in INSTANCE_MEMBERS or not is_array(value):
            result[key] = value
        else:
            result[key] = _sub_instances(known.get(key, []), value)
            if not result[key]:
                del result[key]
    return result


def _sub_instances(known: list[Document], patches: list[Document]) -> list[Document]:
    merged = {dataset_of(instance): instance for instance in known}
    for patch in patches:
        if is_null(patch):
            merged.pop(dataset_of(patch), None)
        else:
            merged[dataset_of(patch)] = patch
    return list(merged.values())
