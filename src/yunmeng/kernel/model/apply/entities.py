"""Operations on whole entities: create, upsert, replace, delete."""

from yunmeng.kernel.model.apply.draft import Applied, Draft, attributes_of, dataset_of, division_of
from yunmeng.kernel.model.attribute_kinds import EXPIRY
from yunmeng.kernel.model.operations import Change, Document, Outcome


def create(document: Document, draft: Draft) -> None:
    """Fills the draft of an entity that is not there yet (§5.6.1)."""
    draft.document = _members(document)
    for attribute, instances in attributes_of(document):
        for instance in instances:
            draft.put(attribute, instance)


def replace(document: Document, draft: Draft) -> None:
    """Puts a new entity in place of the old one; what is not named goes (§5.6.18)."""
    before = draft.before
    draft.document = _members(document)
    if before.get(EXPIRY) != document.get(EXPIRY):
        draft.touched[EXPIRY] = None
    if before["type"] != document["type"]:
        draft.touched["type"] = None
    if before.get("scope") != document.get("scope"):
        draft.touched["scope"] = None
    named = dict(attributes_of(document))
    for attribute, instances in attributes_of(before):
        if attribute in named:
            draft.document[attribute] = instances
    for attribute, instances in named.items():
        for instance in instances:
            draft.put(attribute, instance)
    _drop_unnamed(named, draft)


def _members(document: Document) -> Document:
    return {name: document[name] for name in ("id", "type", "scope", EXPIRY) if name in document}


def delete(id: str, draft: Draft, tenant: str, principal: str) -> Applied:
    """Removes the entity with all its attributes (§5.6.6)."""
    before = draft.before
    for attribute, instances in attributes_of(before):
        for instance in instances:
            draft.mark_deleted(attribute, instance)
    change = Change(
        tenant=tenant,
        entity=id,
        types=tuple(before["type"]),
        division=division_of(before),
        at=draft.at,
        kind="deleted",
        attributes=tuple(draft.touched),
        before=before,
        principal=principal,
    )
    return Applied(None, Outcome(id=id, done="deleted"), change, tuple(draft.instances))


def _drop_unnamed(named: dict[str, list[Document]], draft: Draft) -> None:
    for attribute, instances in attributes_of(draft.before):
        kept = named.get(attribute)
        if kept is None:
            for instance in instances:
                draft.mark_deleted(attribute, instance)
        elif len(instances) > 1 or dataset_of(instances[0]) != dataset_of(kept[0]):
            datasets = {dataset_of(instance) for instance in kept}
            for instance in instances:
                if dataset_of(instance) not in datasets:
                    draft.drop(attribute, dataset_of(instance))
