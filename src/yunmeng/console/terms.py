"""Names, labels and units by the type tables of the node, in the language of a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from weakref import WeakKeyDictionary

from yunmeng.console.documents import Entity, reader_of
from yunmeng.kernel.base import BadInput, conversion, unit
from yunmeng.kernel.model import (
    DIVISION,
    LOCATION,
    SYNTHETIC,
    AttributeRow,
    Context,
    TypeIs,
    TypeLibrary,
)
from yunmeng.kernel.serve import Call, Language

_NAMES = ("name", "nameEn")


@dataclass(frozen=True, slots=True)
class Terms:
    """The type tables, the context that they make, and the language to answer in."""

    library: TypeLibrary
    context: Context
    language: Language

    def uri(self, name: str) -> str:
        """Returns the URI of a type's or an attribute's name; empty for an empty name."""
        return name if not name or ":" in name else self.context.expand(name)

    def short(self, uri: str) -> str:
        """Returns the name of a URI."""
        return self.context.compact(uri)

    def type_is(self, name: str) -> TypeIs:
        """Returns the selection of one type."""
        return TypeIs(self.uri(name))

    def type_label(self, uri: str) -> str:
        """Returns what people call a type."""
        found = next((one for one in self.library.types.values() if one.uri == uri), None)
        return self.short(uri) if found is None else self._word(found.zh, found.en)

    def attribute_label(self, types: Sequence[str], uri: str) -> str:
        """Returns what people call an attribute of a type."""
        row = self._row(types, uri)
        return self.short(uri) if row is None else self._word(row.zh, row.en)

    def unit(self, type: str, attribute: str) -> str:
        """Returns the UN/CEFACT code that the table states for an attribute, empty when it states none."""
        row = self._row((self.uri(type),), self.uri(attribute))
        return row.unit if row else ""

    def symbol(self, code: str) -> str:
        """Returns how people write a unit; counted things have a word in each language."""
        try:
            found = unit(code) if code else None
        except BadInput:
            return code
        if found is None:
            return ""
        return found.name_en if self.language == "en" and found.symbol > "\u2e80" else found.symbol

    def converter(self, type: str, attribute: str, wanted: str) -> Callable[[float | None], float | None]:
        """Returns what turns a stored number into the unit that a view wants."""
        stored = self.unit(type, attribute)
        scale, shift = conversion(stored, wanted) if wanted and stored and wanted != stored else (1.0, 0.0)
        return lambda value: None if value is None else value * scale + shift

    def read(self, body: bytes) -> Entity:
        """Reads a stored document."""
        return Entity(body, _names(self.context))

    def read_part(self, body: bytes, attributes: Sequence[str]) -> Entity:
        """Reads name, place, mark and these attributes (URIs) of a stored document, which is quicker."""
        names = _names(self.context)
        own = (*names.values(), DIVISION, LOCATION, SYNTHETIC, *attributes)
        return Entity(body, names, reader_of(own))

    def _row(self, types: Sequence[str], uri: str) -> AttributeRow | None:
        for one in self.library.types.values():
            if one.uri in types:
                row = next((row for row in one.attributes if row.uri == uri), None)
                if row is not None:
                    return row
        return self.library.attribute(uri)

    def _word(self, zh: str, en: str) -> str:
        return en if self.language == "en" else zh


_contexts: WeakKeyDictionary[TypeLibrary, Context] = WeakKeyDictionary()


@cache
def _names(context: Context) -> dict[str, str]:
    return {name: context.expand(name) for name in _NAMES}


def terms_of(call: Call) -> Terms:
    """Returns the terms for a call."""
    library = call.services.types
    context = _contexts.get(library)
    if context is None:
        context = _contexts.setdefault(library, Context((library.context()["@context"],), ()))
    return Terms(library, context, call.language)
