"""The NGSI-LD core context, made from the table of its terms (ETSI GS CIM 009 Annex B)."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

NGSI_LD = "https://uri.etsi.org/ngsi-ld/"
DEFAULT_VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
CORE_VERSIONS = ("1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9")

_TABLE = Path(__file__).parent / "data" / "core-terms.toml"
_CORE_URL = re.compile(
    r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context(?:-v(\d+\.\d+))?(?:\.jsonld)?\Z"
)
_SHAPES: dict[str, dict[str, str]] = {
    "plain": {},
    "vocab": {"@type": "@vocab"},
    "id": {"@type": "@id"},
    "time": {"@type": "DateTime"},
    "json": {"@type": "@json"},
    "list": {"@container": "@list"},
    "set": {"@container": "@set"},
    "language": {"@container": "@language"},
    "index": {"@container": "@index"},
}


def core_version(url: str) -> str | None:
    """Returns the version of the core context that ``url`` names (``"1.8"``), or None for other URLs."""
    found = _CORE_URL.match(url)
    if found is None:
        return None
    version = found[1] or "1.8"
    return version if version in CORE_VERSIONS else None


@lru_cache(maxsize=4)
def core_document(version: str = "1.9") -> dict[str, Any]:
    """Returns the core context as JSON-LD; versions before 1.9 come with the terms of 1.8."""
    table: dict[str, Any] = tomllib.loads(_TABLE.read_text("utf-8"))
    terms: dict[str, Any] = {
        "@version": 1.1,
        "@protected": True,
        **table["namespaces"],
        "id": "@id",
        "type": "@type",
    }
    groups: list[tuple[str, dict[str, list[str]]]] = [(space, table[space]) for space in table["namespaces"]]
    if version == "1.9":
        groups += table["new"].items()
    for space, shapes in groups:
        for shape, names in shapes.items():
            terms.update((name, _definition(space, table["names"].get(name, name), shape)) for name in names)
    return {"@context": {**terms, **table["others"], "@vocab": table["vocab"]}}


def _definition(space: str, name: str, shape: str) -> str | dict[str, str]:
    uri = f"{space}:{name}"
    return {"@id": uri, **_SHAPES[shape]} if _SHAPES[shape] else uri
