"""How entities are shown: members, representation, language (§4.5, §6.3.7 to §6.3.12)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, cast

import msgspec

from yunmeng.kernel.base import BadInput, now_us
from yunmeng.kernel.model import Context, Document, Representation, alive, compact_entity, compact_stored
from yunmeng.kernel.serve.grades import graded, open_documents
from yunmeng.kernel.serve.ngsild.negotiation import Media
from yunmeng.kernel.serve.ngsild.parameters import Parameters, expanded, flag, names, options, whole
from yunmeng.kernel.serve.ngsild.projection import Tree, depth, parse_projection
from yunmeng.kernel.serve.replies import GEO_JSON
from yunmeng.kernel.serve.routes import Call

_SIMPLE = frozenset(("keyValues", "simplified"))
_KNOWN = frozenset(
    (
        *_SIMPLE,
        *("concise", "normalized", "sysAttrs", "count", "noOverwrite"),
        *("temporalValues", "aggregatedValues", "update", "replace"),
    )
)
_DEEPEST_JOIN = 10
_EXPIRES = b'"expiresAt"'
_LOCATION = "https://uri.etsi.org/ngsi-ld/location"

Shown = dict[str, Any] | msgspec.Raw
"""An entity as it is shown, or the JSON of it."""

decode_document = msgspec.json.Decoder(Document).decode


@dataclass(frozen=True, slots=True)
class View:
    """What one answer shows of entities; names are expanded."""

    context: Context
    representation: Representation = "normalized"
    sysattrs: bool = False
    attrs: frozenset[str] = frozenset()
    pick: frozenset[str] = frozenset()
    omit: frozenset[str] = frozenset()
    lang: str = ""
    dataset_ids: frozenset[str] | None = None
    geometry_property: str = _LOCATION
    join: str = ""
    join_level: int = 1
    pick_tree: Tree = field(default_factory=dict[str, Tree])
    omit_tree: Tree = field(default_factory=dict[str, Tree])

    @property
    def plain(self) -> bool:
        """Whether it shows entities as they are read most: normalized, all attributes, as they are stored."""
        usual = _plain(self.context)
        return self is usual or self == usual

    def of(self, document: Document) -> dict[str, Any]:
        """Returns the document as this view shows it."""
        return compact_entity(
            document,
            self.context,
            self.representation,
            sysattrs=self.sysattrs,
            attrs=self.attrs,
            pick=self.pick,
            omit=self.omit,
            lang=self.lang,
            dataset_ids=self.dataset_ids,
            geometry_property=self.geometry_property,
        )


@lru_cache(maxsize=256)
def _plain(context: Context) -> View:
    return View(context)


def read_view(parameters: Parameters, context: Context, media: Media) -> View:
    """Reads how entities are to be shown.

    Raises:
        BadInput: ``query.options``, ``query.pick-and-omit``, ``name.invalid``.
    """
    if not parameters:
        return View(context, "geojson") if media == GEO_JSON else _plain(context)
    chosen = options(parameters)
    if unknown := chosen - _KNOWN:
        raise BadInput("query.options", options=sorted(unknown))
    pick, omit = (
        parse_projection(parameters.get("pick"), context),
        parse_projection(parameters.get("omit"), context),
    )
    if {name for name in pick if not pick[name]} & {name for name in omit if not omit[name]}:
        raise BadInput("query.pick-and-omit")
    if (pick or omit) and parameters.get("attrs"):
        raise BadInput("query.attrs-and-pick")
    datasets = parameters.get("datasetId")
    geometry = parameters.get("geometryProperty")
    if geometry and media != GEO_JSON:
        raise BadInput("query.geometry-property")
    return View(
        context,
        _representation(chosen, media),
        "sysAttrs" in chosen or flag(parameters, "sysAttrs"),
        frozenset(expanded(names(parameters.get("attrs")), context)),
        frozenset(pick),
        frozenset(name for name, below in omit.items() if not below),
        parameters.get("lang", ""),
        frozenset(names(datasets)) if datasets else None,
        context.expand(geometry) if geometry else _LOCATION,
        _join(parameters, pick, omit),
        join_level(parameters),
        pick,
        omit,
    )


def join_level(parameters: Parameters) -> int:
    """Reads how many relationships in a row may be followed (§4.5.23).

    Raises:
        BadInput: ``query.number``.
    """
    return whole(parameters, "joinLevel", 1, 1, _DEEPEST_JOIN)


def _join(parameters: Parameters, pick: Tree, omit: Tree) -> str:
    """Reads how linked entities are shown, empty for not at all."""
    join = parameters.get("join", "@none")
    if join not in ("inline", "flat", "@none"):
        raise BadInput("query.value", name="join", value=join)
    hops = max(depth(pick), depth(omit)) - 1
    if hops > (0 if join == "@none" else join_level(parameters)):
        raise BadInput("query.projection", text=parameters.get("pick") or parameters["omit"])
    return "" if join == "@none" else join


def _representation(chosen: Collection[str], media: Media) -> Representation:
    simple = bool(_SIMPLE & set(chosen))
    if media == GEO_JSON:
        return "geojson-simplified" if simple else "geojson"
    if simple:
        return "simplified"
    return "concise" if "concise" in chosen else "normalized"


def living(body: bytes) -> Document | None:
    """Returns what has not expired of a stored document, None when all of it has (§4.22)."""
    document = decode_document(body)
    return alive(document, now_us()) if _EXPIRES in body else document


def is_alive(body: bytes) -> bool:
    """Tells whether a stored document has not expired."""
    return living(body) is not None


async def show(call: Call, bodies: Sequence[bytes], view: View) -> list[Shown]:
    """Shows stored documents, without what lies above the principal's clearance.

    An entity of which ``attrs`` leaves nothing is left out (§5.7.1.4).
    """
    if view.plain:
        apart = graded(call)
        plain = [compact_stored(body, view.context, apart) for body in bodies]
        if None not in plain:
            return cast("list[Shown]", plain)
    documents = await open_documents(call, [one for body in bodies if (one := living(body)) is not None])
    if view.attrs:
        documents = [document for document in documents if view.attrs & document.keys()]
    if view.join:
        from yunmeng.kernel.serve.ngsild.joining import joined

        return [*await joined(partial(_fetch, call), documents, view)]
    return [view.of(document) for document in documents]


async def _fetch(call: Call, ids: Sequence[str]) -> dict[str, Document]:
    bodies = [await call.services.state.get(call.reach, id_) for id_ in ids]
    found = [one for body in bodies if body is not None and (one := living(body)) is not None]
    return {str(one["id"]): one for one in await open_documents(call, found)}


def collection(shown: list[Shown], media: Media) -> Any:
    """Returns the entities as the media type lists them (§4.5.16)."""
    return {"type": "FeatureCollection", "features": shown} if media == GEO_JSON else shown
