"""Merge patch on entities: RFC 7396 with NGSI-LD Null in place of null (ETSI GS CIM 009 §5.5.12, §5.6.17)."""

from typing import Any

from yunmeng.kernel.base import BadInput, check_urn
from yunmeng.kernel.model.apply.draft import Draft, attributes_of, dataset_of
from yunmeng.kernel.model.attribute_kinds import INSTANCE_MEMBERS, NULL, VALUE_MEMBERS, is_null
from yunmeng.kernel.model.json_values import is_array, is_object
from yunmeng.kernel.model.operations import Document, Merge


def merge(operation: Merge, draft: Draft) -> None:
    """Merges the fragment into the draft, member by member down into JSON values."""
    fragment = operation.fragment
    draft.add_types(fragment.get("type", []))
    draft.set_expiry(fragment)
    if "scope" in fragment:
        draft.set_scopes(fragment["scope"])
    for attribute, instances in attributes_of(fragment):
        for instance in instances:
            _merge_into(draft, attribute, instance, operation)


def _merge_into(draft: Draft, attribute: str, patch: Document, operation: Merge) -> None:
    known = draft.find(attribute, dataset_of(patch))
    if is_null(patch):
        if not draft.drop(attribute, dataset_of(patch)):
            draft.not_updated[attribute] = "attribute.unknown"
    elif known is not None:
        merged = _merged(known, _adapted(known, patch, operation.lang))
        if operation.observed_at and "observedAt" in known and "observedAt" not in patch:
            merged["observedAt"] = operation.observed_at
        draft.put(attribute, merged)
    elif VALUE_MEMBERS.get(patch.get("type", "")) in patch:
        draft.put(attribute, _without_nulls(patch))
    else:
        draft.not_updated[attribute] = "attribute.no-value"


def _adapted(known: Document, patch: Document, lang: str) -> Document:
    """Gives a plain value the kind that the attribute has, since simplified input names none (§5.6.17)."""
    kind = known["type"]
    if patch.get("type", kind) == kind or patch["type"] != "Property":
        return patch
    value = patch["value"]
    rest = {key: item for key, item in patch.items() if key not in ("type", "value")}
    match kind:
        case "Relationship" if _is_uri(value) or (is_array(value) and all(_is_uri(item) for item in value)):
            return {**rest, "object": value}
        case "LanguageProperty" if lang and isinstance(value, str):
            return {**rest, "languageMap": {lang: value}}
        case "ListProperty" if is_array(value):
            return {**rest, "valueList": value}
        case "ListRelationship" if is_array(value) and all(_is_uri(item) for item in value):
            return {**rest, "objectList": [{"object": item} for item in value]}
        case "JsonProperty":
            return {**rest, "json": value}
        case _:
            return patch


def _is_uri(value: object) -> bool:
    try:
        check_urn(value)
    except BadInput:
        return False
    return True


def _merged(known: Document, patch: Document) -> Document:
    result = dict(known)
    if patch.get("type", known.get("type")) != known.get("type"):
        result.pop(VALUE_MEMBERS[known["type"]], None)
    for key, value in patch.items():
        if value == NULL:
            result.pop(key, None)
        elif key in ("value", "json", "languageMap"):
            result[key] = merge_json(result.get(key), value)
        elif key in INSTANCE_MEMBERS:
            result[key] = value
        else:
            result[key] = _merged_instances(result.get(key, []), value)
            if not result[key]:
                del result[key]
    return result


def _merged_instances(known: list[Document], patches: list[Document]) -> list[Document]:
    merged = {dataset_of(instance): instance for instance in known}
    for patch in patches:
        dataset = dataset_of(patch)
        if is_null(patch):
            merged.pop(dataset, None)
        elif dataset in merged:
            merged[dataset] = _merged(merged[dataset], _adapted(merged[dataset], patch, ""))
        elif VALUE_MEMBERS.get(patch.get("type", "")) in patch:
            merged[dataset] = _without_nulls(patch)
    return list(merged.values())


def _without_nulls(patch: Document) -> Document:
    return _merged({"type": patch["type"]}, patch)


def merge_json(known: Any, patch: Any) -> Any:
    """Returns a JSON value with a merge patch applied; NGSI-LD Null removes a member (RFC 7396 §2)."""
    if not is_object(patch):
        return patch
    result = dict(known) if is_object(known) else {}
    for key, value in patch.items():
        if value == NULL:
            result.pop(key, None)
        else:
            result[key] = merge_json(result.get(key), value)
    return result
