"""What a context source says it has: entities and their attributes (ETSI GS CIM 009 §5.2.8, §5.2.10)."""

from collections.abc import Mapping
from dataclasses import dataclass

from yunmeng.kernel.base import BadInput, check_urn
from yunmeng.kernel.model import Context, Pattern, check_pattern
from yunmeng.kernel.serve.body import as_array, as_object, text_member
from yunmeng.kernel.serve.sources.members import one_or_more, texts


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """Which entities a source holds (§5.2.8): of these types (any when empty), by id or pattern if given."""

    types: frozenset[str]
    id: str = ""
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Information:
    """One RegistrationInfo (§5.2.10); empty ``entities`` are any, empty names are all attributes."""

    entities: tuple[EntityInfo, ...]
    properties: frozenset[str]
    relationships: frozenset[str]

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes by URI, empty for all."""
        return self.properties | self.relationships


def information_of(body: Mapping[str, object], names: Context) -> tuple[Information, ...]:
    """Reads what a source has.

    Raises:
        BadInput: ``registration.information``, ``json.*``, ``id.bad`` and those of patterns.
    """
    return tuple(
        _one_information(as_object(item, "information"), names)
        for item in as_array(body.get("information"), "information")
    )


def _one_information(item: Mapping[str, object], names: Context) -> Information:
    if item.keys().isdisjoint(("entities", "propertyNames", "relationshipNames")):
        raise BadInput("registration.information")
    entities = as_array(item["entities"], "entities") if "entities" in item else []
    return Information(
        tuple(_entity_info(as_object(one, "entities"), names) for one in entities),
        _names(item, "propertyNames", names),
        _names(item, "relationshipNames", names),
    )


def _names(item: Mapping[str, object], member: str, names: Context) -> frozenset[str]:
    if member not in item:
        return frozenset()
    return frozenset(names.expand(name) for name in texts(item[member], member))


def _entity_info(item: Mapping[str, object], names: Context) -> EntityInfo:
    # who names the entity need not name its type
    named = "type" not in item and ("id" in item or "idPattern" in item)
    found = [] if named else one_or_more(item.get("type"), "entities.type")
    id_ = check_urn(item["id"]) if "id" in item else ""
    pattern = check_pattern(text_member(item, "idPattern")) if "idPattern" in item else None
    return EntityInfo(frozenset(map(names.expand, found)), id_, pattern)
