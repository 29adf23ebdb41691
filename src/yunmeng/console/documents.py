"""Stored documents as people read them: attributes by URI, each with its instances."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict, cast

import msgspec

from yunmeng.kernel.base import YunmengError, instant_us, label
from yunmeng.kernel.model import DIVISION, LOCATION, QUALITY, SYNTHETIC, pick_language

_VALUES = ("value", "object", "vocab", "valueList", "objectList", "json")
_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"))
_SOURCES = ("https://smartdatamodels.org/source", "https://w3id.org/yunmeng/source")
_LONGEST = 300

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@cache
def reader_of(attributes: tuple[str, ...]) -> Callable[[bytes], dict[str, Any]]:
    """Returns what decodes these attributes (URIs) only; the curves of a reservoir are long."""
    members = {"id": str, "type": list[str], **dict.fromkeys(attributes, list[dict[str, Any]])}
    kind: Any = TypedDict("Part", members, total=False)  # type: ignore[misc]
    return msgspec.json.Decoder(kind).decode


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of an attribute, in stored form."""

    body: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The NGSI-LD kind: ``Property``, ``Relationship``..."""
        return str(self.body.get("type", ""))

    @property
    def number(self) -> float | None:
        """The value when it is a number."""
        value = self.body.get("value")
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def text(self) -> str:
        """The value as text, whatever it is; empty when there is none."""
        return self.shown("zh-CN")

    def shown(self, language: str) -> str:
        """Returns the value as text in a language, cut when it is long."""
        languages = self.body.get("languageMap")
        if isinstance(languages, dict) and languages:
            return str(pick_language(cast("dict[str, Any]", languages), language)[0])
        value: object = next((self.body[name] for name in _VALUES if name in self.body), None)
        if isinstance(value, bool):
            return label(f"console.entity.{'yes' if value else 'no'}", language)
        if isinstance(value, dict | list):
            value = _point(cast("dict[str, Any]", value)) or msgspec.json.encode(value).decode()
        text = "" if value is None else str(value)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

    @property
    def linked(self) -> str:
        """The entity that a Relationship points to."""
        target = self.body.get("object")
        return target if self.kind == "Relationship" and isinstance(target, str) else ""

    @property
    def unit(self) -> str:
        """The UN/CEFACT code, empty when the instance names none."""
        return str(self.body.get("unitCode", ""))

    @property
    def json(self) -> Any:
        """The JSON of a JsonProperty, None when there is none."""
        return self.body.get("json")

    @property
    def dataset(self) -> str:
        """The ``datasetId`` that tells instances apart."""
        return str(self.body.get("datasetId", ""))

    @property
    def observed_us(self) -> int:
        """When it was observed, in µs UTC; 0 when it was not."""
        return _instant(self.body.get("observedAt"))

    @property
    def modified_us(self) -> int:
        """When it was written, in µs UTC; 0 when nobody wrote it."""
        return _instant(self.body.get("modifiedAt"))

    @property
    def quality(self) -> str:
        """How far the value can be trusted: ``good``, ``uncertain``..."""
        return self._sub(QUALITY).lower() or "good"

    @property
    def source(self) -> str:
        """Where the value says that it comes from."""
        return next((found for uri in _SOURCES if (found := self._sub(uri))), "")

    def _sub(self, uri: str) -> str:
        for one in self.body.get(uri, ()):
            return str(one.get("value", ""))
        return ""


class Entity:
    """One entity in stored form."""

    def __init__(
        self,
        body: bytes,
        names: Mapping[str, str],
        decode: Callable[[bytes], dict[str, Any]] = _decode,
    ) -> None:
        self._names = names
        self._document = decode(body)
        self.id: str = self._document["id"]
        self.types: tuple[str, ...] = tuple(self._document["type"])
        self.scope: list[str] = list(self._document.get("scope", ()))
        self.created_at = str(self._document.get("createdAt", ""))
        self.modified_at = str(self._document.get("modifiedAt", ""))

    @property
    def attributes(self) -> dict[str, list[Instance]]:
        """Every attribute by URI."""
        return {
            uri: [Instance(one) for one in instances]
            for uri, instances in self._document.items()
            if uri not in _MEMBERS
        }

    def first(self, uri: str) -> Instance | None:
        """Returns the first instance of an attribute."""
        for one in self._document.get(uri, ()):
            return Instance(one)
        return None

    def name(self, language: str) -> str:
        """Returns the name in a language, the id when it has none."""
        wanted = [self._names[key] for key in (["nameEn", "name"] if language == "en" else ["name"])]
        found = (one.shown(language) for uri in wanted if (one := self.first(uri)))
        return next((text for text in found if text), self.id)

    @property
    def division(self) -> str:
        """The GB/T 2260 code of where it is."""
        found = self.first(DIVISION)
        return found.text if found else ""

    @property
    def synthetic(self) -> bool:
        """Whether a generator made it up."""
        found = self.first(SYNTHETIC)
        return found is not None and found.body.get("value") is True

    @property
    def location(self) -> dict[str, Any] | None:
        """Its GeoJSON geometry."""
        found = self.first(LOCATION)
        value = found.body.get("value") if found else None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _point(value: dict[str, Any] | list[Any]) -> str:
    """Returns a GeoJSON point as longitude and latitude, empty for anything else."""
    if isinstance(value, dict) and value.get("type") == "Point":
        return ", ".join(f"{float(one):.5f}" for one in value["coordinates"][:2])
    return ""


def _instant(text: object) -> int:
    try:
        return instant_us(text) if text else 0
    except YunmengError:
        return 0
