"""All entity types of a node, and what is made of them: context, schemas, labels, reference."""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from yunmeng.kernel.base import Broken, NotFound
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.core_context import NGSI_LD
from yunmeng.kernel.model.type_reference import reference
from yunmeng.kernel.model.type_schema import entity_schema
from yunmeng.kernel.model.type_tables import AttributeRow, EntityType, TypeTable, read_table
from yunmeng.kernel.model.vocabulary import NAMESPACE

VOCABULARY_CONTEXT = NAMESPACE + "context.jsonld"
"""The URL under which a node serves the context of its own types."""

_OWN_TABLES = Path(__file__).parent / "types"


class TypeLibrary:
    """Entity types by name; ``terms`` are the attributes that entities of every type may have."""

    def __init__(self, tables: Iterable[tuple[Path, TypeTable]]) -> None:
        self._types: dict[str, EntityType] = {}
        self._terms: dict[str, AttributeRow] = {}
        self._uris: dict[str, str] = {}
        self._rows: dict[str, AttributeRow] = {}
        for file, table in tables:
            self._add(file, table)
        self._by_uri = {type_.uri: type_ for type_ in self._types.values()}

    @property
    def types(self) -> Mapping[str, EntityType]:
        """The types by name, in the order of their tables."""
        return self._types

    @property
    def terms(self) -> Mapping[str, AttributeRow]:
        """The attributes by name that entities of every type may have."""
        return self._terms

    @property
    def indexed(self) -> frozenset[str]:
        """The URIs of the attributes whose values are to be indexed."""
        tables = (type_.attributes for type_ in self._types.values())
        return frozenset(row.uri for row in chain(self._terms.values(), *tables) if row.indexed)

    def type(self, name: str) -> EntityType:
        """Returns the type of this name or URI. Raises ``NotFound("types.unknown")``."""
        found = self._types.get(name) or self._by_uri.get(name)
        if found is None:
            raise NotFound("types.unknown", type=name)
        return found

    def attribute(self, name: str) -> AttributeRow | None:
        """Returns the first row that states the attribute of this name or URI."""
        return self._rows.get(name)

    def context(self) -> dict[str, Any]:
        """Returns the JSON-LD context of all types and attributes, as a document with ``@context``."""
        terms: dict[str, Any] = {}
        for name, uri in sorted(self._uris.items()):
            if not uri.startswith(NGSI_LD):
                terms[name] = self._definition(name, uri)
        return {"@context": terms}

    def _definition(self, name: str, uri: str) -> str | dict[str, str]:
        row = self._rows.get(name)
        points = row is not None and row.kind in ("Relationship", "ListRelationship")
        return {"@id": uri, "@type": "@id"} if points else uri

    def schema(
        self, type: str, representation: Literal["normalized", "simplified"] = "normalized"
    ) -> dict[str, Any]:
        """Returns the JSON Schema (2020-12) of an entity type. Raises ``NotFound("types.unknown")``."""
        return entity_schema(self.type(type), self._terms.values(), representation)

    def labels(self, lang: str) -> dict[str, str]:
        """Returns the words for ``Type``, ``Type.attribute`` and ``attribute``; Chinese unless ``en``."""
        english = lang.lower().startswith("en")
        labels = {row.name: row.en if english else row.zh for row in self._rows.values()}
        for type_ in self._types.values():
            labels[type_.name] = type_.en if english else type_.zh
            for row in type_.attributes:
                labels[f"{type_.name}.{row.name}"] = row.en if english else row.zh
        return labels

    def reference(self, lang: str) -> str:
        """Returns the reference of all types as Markdown; Chinese unless ``en``."""
        return reference(self._types.values(), self._terms.values(), english=lang.lower().startswith("en"))

    def _add(self, file: Path, table: TypeTable) -> None:
        for term in table.terms:
            self._claim(file, term.name, term.name, term.uri)
            self._terms.setdefault(term.name, term)
            self._note(term)
        for type_ in table.types:
            if type_.name in self._types:
                raise Broken(
                    "types.bad", file=str(file), row=type_.name, reason="another table has this type"
                )
            self._claim(file, type_.name, type_.name, type_.uri)
            self._types[type_.name] = type_
            for row in type_.attributes:
                self._claim(file, f"{type_.name}.{row.name}", row.name, row.uri)
                self._note(row)

    def _note(self, row: AttributeRow) -> None:
        self._rows.setdefault(row.name, row)
        self._rows.setdefault(row.uri, row)

    def _claim(self, file: Path, row: str, name: str, uri: str) -> None:
        known = self._uris.setdefault(name, uri)
        if known != uri:
            raise Broken("types.bad", file=str(file), row=row, reason=f"{name} means {known} elsewhere")


def load_types(folders: Iterable[Path]) -> TypeLibrary:
    """Reads the kernel's own tables, then ``model/*.toml`` of each package folder in turn.

    Raises ``Broken("types.bad")`` naming file, row and reason.
    """
    core = Context((), ())
    files = sorted(_OWN_TABLES.glob("*.toml"))
    for folder in folders:
        files += sorted((folder / "model").glob("*.toml"))
    return TypeLibrary([(file, read_table(file, core)) for file in files])
