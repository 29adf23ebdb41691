"""Context source registrations as a client reads them (ETSI GS CIM 009 §5.2.9)."""

from typing import Any

from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.sources.members import MEMBERS
from yunmeng.kernel.serve.sources.registration import Registration


def describe_registration(
    registration: Registration, shown: Context, *, sysattrs: bool = False
) -> dict[str, Any]:
    """Returns a registration as a client reads it, its names written as ``shown`` writes them."""
    names = registration.names

    def rename(name: str) -> str:
        return shown.compact(names.expand(name))

    body: dict[str, Any] = {"id": registration.id}
    for member, value in registration.kept.body.items():
        if member == "information":
            body[member] = [_shown_information(item, rename) for item in value]
        else:
            body[member if member in MEMBERS else rename(member)] = value
    if sysattrs:
        body["createdAt"], body["modifiedAt"] = registration.kept.created_at, registration.kept.modified_at
    return body


def _shown_information(item: dict[str, Any], rename: Any) -> dict[str, Any]:
    found = dict(item)
    for member in ("propertyNames", "relationshipNames"):
        if member in found:
            found[member] = [rename(name) for name in found[member]]
    if "entities" in found:
        found["entities"] = [
            {**one, "type": _renamed(one["type"], rename)} if "type" in one else one
            for one in found["entities"]
        ]
    return found


def _renamed(types: Any, rename: Any) -> Any:
    return [rename(name) for name in types] if isinstance(types, list) else rename(types)  # pyright: ignore[reportUnknownVariableType]
