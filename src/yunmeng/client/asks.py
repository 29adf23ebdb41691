"""What can be asked of a broker: one function an operation (ETSI GS CIM 009 §6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import quote, urljoin

import httpx
import msgspec

from yunmeng.client.errors import BatchError, Refused
from yunmeng.client.values import Entity
from yunmeng.client.wire import Ask, decoded, nothing
from yunmeng.kernel.base import BadInput

Format = Literal["simplified", "normalized", "concise"]
BatchOperation = Literal["create", "upsert", "update", "merge", "delete"]
Method = Literal["totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"]

# `options` says it to brokers of every version of the standard; `format` came with 1.8
_OPTION: Mapping[Format, str] = {"simplified": "keyValues", "normalized": "", "concise": "concise"}
_MOST_ENTITIES = 500
_MOST_BYTES = 900_000
_NULL = "urn:ngsi-ld:null"
_COUNT = "NGSILD-Results-Count"


@dataclass(frozen=True, slots=True)
class Page:
    """Some entities, and the request for the next ones."""

    items: list[Entity]
    next: "Ask[Page] | None"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one request of a batch."""

    done: tuple[str, ...]
    created: tuple[str, ...]
    refused: tuple[Refused, ...]


def path_of(id_: str) -> str:
    """Returns the path of an entity."""
    return f"/entities/{quoted(id_)}"


def quoted(text: str) -> str:
    """Returns a part of a path; colons of URNs stay readable."""
    return quote(text, safe=":")


def listed(names: str | Iterable[str]) -> str:
    """Returns names as the standard lists them."""
    return names if isinstance(names, str) else ",".join(names)


def chosen(**parameters: str) -> dict[str, str]:
    """Returns the parameters that say something."""
    return {name: value for name, value in parameters.items() if value}


def retrieve(
    id_: str, attributes: str | Iterable[str], format: Format, more: Mapping[str, str]
) -> Ask[Entity]:
    """One entity."""
    parameters = chosen(attrs=listed(attributes), options=_OPTION[format])
    return Ask("GET", path_of(id_), decoded, {**parameters, **more})


def selection(
    type_: str,
    *,
    id: str | Iterable[str],
    q: str,
    attributes: str | Iterable[str],
    scope: str,
    near: tuple[float, float, float] | None,
    within: Mapping[str, Any] | None,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Returns the parameters that choose entities (§6.4.3.2)."""
    place: dict[str, str] = {}
    if near is not None:
        longitude, latitude, metres = near
        place = chosen(
            georel=f"near;maxDistance=={metres:g}", geometry="Point", coordinates=f"[{longitude},{latitude}]"
        )
    elif within is not None:
        shape = msgspec.json.encode(within["coordinates"]).decode()
        place = chosen(georel="within", geometry=str(within["type"]), coordinates=shape)
    said = chosen(type=type_, id=listed(id), q=q, attrs=listed(attributes), scopeQ=scope)
    return {**said, **place, **chosen(**more)}


def query(selected: Mapping[str, str], format: Format, page: int) -> Ask[Page]:
    """The first page of entities."""
    parameters = {**selected, **chosen(options=_OPTION[format]), "limit": str(page)}
    return _page("/entities", parameters, 0, page)


def _page(path: str, parameters: Mapping[str, str], offset: int, size: int) -> Ask[Page]:
    def read(answer: httpx.Response) -> Page:
        items: list[Entity] = decoded(answer)
        more = "next" in answer.links or len(items) >= size
        following = _page(path, parameters, offset + len(items), size) if items and more else None
        return Page(items, following)

    at = {"offset": str(offset)} if offset else {}
    return Ask("GET", path, read, {**parameters, **at})


def count(selected: Mapping[str, str]) -> Ask[int]:
    """How many there are (§6.3.13)."""
    return Ask(
        "GET",
        "/entities",
        lambda answer: int(answer.headers.get(_COUNT, 0)),
        {**selected, "limit": "0", "count": "true"},
    )


def create(entity: Entity) -> Ask[None]:
    """A new entity."""
    return Ask("POST", "/entities", nothing, body=whole(entity))


def change(
    method: str, path: str, body: object = None, parameters: Mapping[str, str] | None = None
) -> Ask[None]:
    """A change without a result."""
    return Ask(method, path, nothing, parameters or {}, body)


def fragment(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a fragment to merge: JSON's null is NGSI-LD's (§4.5.0)."""
    return {name: _NULL if value is None else value for name, value in body.items()}


def whole(entity: object) -> Entity:
    """Returns an entity that can be sent.

    Raises:
        BadInput: ``client.entity``.
    """
    if not isinstance(entity, dict):
        raise BadInput("client.entity", reason=f"{type(entity).__name__}: {str(entity)[:60]}")
    named = cast("Entity", entity)
    for name in ("id", "type"):
        if not named.get(name):
            raise BadInput("client.entity", reason=f"no `{name}` in {str(named)[:80]}")
    return named


def batch(
    operation: BatchOperation, items: Iterable[Entity | str], parameters: Mapping[str, str]
) -> Iterator[Ask[Done]]:
    """The requests of a batch: at most 500 entities and 900 kB each."""
    for part in _parts(items):
        yield Ask(
            "POST",
            f"/entityOperations/{operation}",
            _reader([item if isinstance(item, str) else str(item.get("id", "")) for item in part]),
            parameters,
            part,
        )


def _parts(items: Iterable[Entity | str]) -> Iterator[list[Entity | str]]:
    part: list[Entity | str] = []
    size = 0
    for item in items:
        length = len(msgspec.json.encode(item))
        if part and (len(part) == _MOST_ENTITIES or size + length > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _reader(sent: Sequence[str]) -> Any:
    def read(answer: httpx.Response) -> Done:
        if not answer.content:
            return Done(tuple(sent), (), ())
        told = decoded(answer)
        if isinstance(told, list):
            return Done(tuple(sent), tuple(map(str, told)), ())  # pyright: ignore[reportUnknownArgumentType]
        return Done(tuple(told.get("success", ())), (), tuple(map(_refused, told.get("errors", ()))))

    return read


def _refused(row: Mapping[str, Any]) -> Refused:
    error: Any = row.get("error") or {}
    told = cast("dict[str, Any]", error) if isinstance(error, dict) else {"detail": str(error)}
    return Refused(
        str(row.get("entityId", "")),
        str(told.get("type", "")),
        str(told.get("title", "")),
        str(told.get("detail", "")),
    )


def joined(parts: Iterable[Done]) -> list[str]:
    """Returns the ids that the whole batch made anew. Raises BatchError when anything was refused."""
    parts = list(parts)
    refused = [one for part in parts for one in part.refused]
    if refused:
        raise BatchError.of([id_ for part in parts for id_ in part.done], refused)
    return [id_ for part in parts for id_ in part.created]


def subscription(
    endpoint: str,
    *,
    type: str,
    id: str,
    watched: str | Iterable[str],
    attributes: str | Iterable[str],
    q: str,
    format: Format,
    more: Mapping[str, Any],
) -> Ask[str]:
    """A new subscription; its id is the result."""
    body: dict[str, Any] = {
        "type": "Subscription",
        "notification": {
            "format": "keyValues" if format == "simplified" else format,
            "endpoint": {"uri": endpoint, "accept": "application/json"},
        },
    }
    if type or id:
        body["entities"] = [chosen(type=type, id=id)]
    if watched := _names(watched):
        body["watchedAttributes"] = watched
    if attributes := _names(attributes):
        body["notification"]["attributes"] = attributes
    return create_subscription({**body, **chosen(q=q), **more})


def create_subscription(body: Mapping[str, Any]) -> Ask[str]:
    """A new subscription as the standard writes it."""
    return Ask("POST", "/subscriptions", _last, body=dict(body))


def _names(names: str | Iterable[str]) -> list[str]:
    return [name for name in listed(names).split(",") if name]


def _last(answer: httpx.Response) -> str:
    return answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]


def subscriptions(page: int = 100) -> Ask[Page]:
    """The first page of subscriptions."""
    return _page("/subscriptions", {"limit": str(page)}, 0, page)


def names_of(path: str, member: str) -> Ask[list[str]]:
    """A list of names (§5.7.5, §5.7.8)."""
    return Ask("GET", path, lambda answer: list(decoded(answer)[member]))


def add_context(document: Mapping[str, Any]) -> Ask[str]:
    """A context to host; its URL is the result (§5.13.2)."""

    def read(answer: httpx.Response) -> str:
        return urljoin(str(answer.request.url), answer.headers["Location"])

    body = dict(document) if "@context" in document else {"@context": dict(document)}
    return Ask("POST", "/jsonldContexts", read, body=body)


def context_path(url: str) -> str:
    """Returns the path of a hosted context, by its URL or its local id."""
    _, found, local = url.partition("/jsonldContexts/")
    return f"/jsonldContexts/{local if found else quote(url, safe='')}"
