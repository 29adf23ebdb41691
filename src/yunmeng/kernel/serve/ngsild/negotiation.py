"""Media types and contexts of NGSI-LD requests and answers (ETSI GS CIM 009 §6.3.3 to §6.3.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import msgspec
from starlette.requests import Request

from yunmeng.kernel.base import BadInput, YunmengError
from yunmeng.kernel.model import Context, ContextMember, context_link
from yunmeng.kernel.serve.body import decode_json
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.ngsild.hosted import learn_hosted
from yunmeng.kernel.serve.refusals import NotAcceptable, UnsupportedMedia
from yunmeng.kernel.serve.replies import GEO_JSON, JSON, LD_JSON, Reply, encode_json
from yunmeng.kernel.serve.routes import Call

Media = Literal["application/json", "application/ld+json", "application/geo+json"]

_COUNTED = "yunmeng.context-counted"
_MERGE_PATCH = "application/merge-patch+json"
_RELATION = "http://www.w3.org/ns/json-ld#context"


@dataclass(frozen=True, slots=True)
class Payload:
    """A decoded body and the context in which its names stand; ``member`` is its own ``@context``, if any."""

    value: object
    context: Context
    member: ContextMember | None = None


async def read_payload(call: Call) -> Payload:
    """Reads a body that is one object or an array without contexts of its own.

    Raises:
        UnsupportedMedia: ``media.type``.
        BadInput: ``json.*``, ``context.link-and-body``, ``context.missing``.
        Unavailable: ``context.unavailable``.
    """
    linked_data = _is_linked_data(call.request)
    value = decode_json(await call.request.body())
    if not isinstance(value, dict):
        return Payload(value, await _context(call, None))
    body = cast("dict[str, Any]", value)
    member = take_context(body, linked_data, call.request)
    return Payload(body, await _context(call, member), member)


async def read_batch(call: Call) -> tuple[list[object], list[Context | YunmengError]]:
    """Reads an array of objects, each with the context that counts for it.

    Raises like :func:`read_payload`; an item with a context that may not be has the error in its place.
    """
    linked_data = _is_linked_data(call.request)
    value = decode_json(await call.request.body())
    if not isinstance(value, list):
        raise BadInput("json.array", where="body")
    items = cast("list[object]", value)
    shared = None if linked_data else await _context(call, None)
    contexts: list[Context | YunmengError] = []
    for item in items:
        if not isinstance(item, dict):
            contexts.append(shared or call.services.contexts.core)
            continue
        contexts.append(await _of_item(call, cast("dict[str, Any]", item), shared, linked_data))
    return items, contexts


async def _of_item(
    call: Call, item: dict[str, Any], shared: Context | None, linked_data: bool
) -> Context | YunmengError:
    """Returns the context of one item, or what is wrong with it: the others are none the worse for that."""
    if linked_data and has_context_link(call.request):
        raise BadInput("context.link-and-body")
    try:
        member = take_context(item, linked_data, call.request)
        return shared if shared is not None else await _context(call, member)
    except YunmengError as error:
        return error


def take_context(body: dict[str, Any], linked_data: bool, request: Request) -> ContextMember | None:
    """Takes the ``@context`` out of a body and checks that it stands where the media type wants it."""
    member = body.pop("@context", None)
    if linked_data:
        if member is None and not body:
            # no entity, no context: nothing that could be judged (§5.5.4)
            raise BadInput("json.empty")
        if member is None:
            raise BadInput("context.missing")
        if has_context_link(request):
            raise BadInput("context.link-and-body")
    elif member is not None:
        raise BadInput("context.unexpected")
    return member


async def request_context(call: Call) -> Context:
    """Returns the context of the Link header, the core context without one."""
    return await _context(call, None)


async def _context(call: Call, member: ContextMember | None) -> Context:
    link = None if member is not None else header(call.request, b"link")
    if member is None and link is None:
        return call.services.contexts.core
    named = member if member is not None else context_link(link or "")
    await learn_hosted(call, named)
    context = await call.services.contexts.resolve(member, link)
    if _COUNTED not in call.request.scope:
        # a request is one use, however often its context is looked up (§5.13.4)
        call.request.scope[_COUNTED] = True
        call.services.contexts.count(named)
    return context


def has_context_link(request: Request) -> bool:
    """Tells whether a Link header names a JSON-LD context."""
    return _RELATION in (header(request, b"link") or "")


def _is_linked_data(request: Request) -> bool:
    media = (header(request, b"content-type") or "").partition(";")[0].strip().lower()
    if media == LD_JSON:
        return True
    # what comes without a type may be looked at (RFC 9110 §8.3)
    if media in ("", JSON) or (media == _MERGE_PATCH and request.method == "PATCH"):
        return False
    raise UnsupportedMedia("media.type", media=media)


def accepted(request: Request, *, geo: bool = False) -> Media:
    """Picks the media type of the answer; JSON where the caller has no wish.

    Raises:
        NotAcceptable: ``media.accept``.
    """
    wish = header(request, b"accept")
    if wish is None or wish == "*/*":
        return JSON
    chosen = _negotiate(wish, geo)
    if chosen is None:
        raise NotAcceptable("media.accept", accept=wish)
    return chosen


@lru_cache(maxsize=256)
def _negotiate(wish: str, geo: bool) -> Media | None:
    offers: tuple[Media, ...] = (JSON, LD_JSON, GEO_JSON) if geo else (JSON, LD_JSON)
    wishes: dict[str, float] = {}
    for part in wish.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        wishes[media] = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    # the most specific range that names an offer decides about it (RFC 9110 §12.5.1)
    weights = [
        next((wishes[name] for name in (offer, "application/*", "*/*") if name in wishes), 0.0)
        for offer in offers
    ]
    best = max(weights)
    return offers[weights.index(best)] if best > 0 else None


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        # a weight that is none says nothing (RFC 9110 §12.4.2)
        return 1.0


def answer(
    payload: Any,
    context: Context,
    media: Media,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    prefer: str | None = None,
) -> Reply:
    """Answers with entities; the context stands in the body (JSON-LD, GeoJSON) or in a Link header (JSON).

    ``prefer`` is the header of that name: ``body=json`` keeps it out of GeoJSON (§6.3.6).
    """
    extra = dict(headers or {})
    if media == LD_JSON:
        return Reply(encode_json(with_context(payload, context)), status, media, extra)
    if media == GEO_JSON and "body=json" not in (prefer or ""):
        payload = with_context(payload, context)
    if context.link:
        link = link_header(context.link)
        extra["Link"] = f"{extra['Link']}, {link}" if "Link" in extra else link
    return Reply(encode_json(payload), status, media, extra)


def link_header(url: str) -> str:
    """Returns the Link header value that names a context (§6.3.5)."""
    return f'<{url}>; rel="{_RELATION}"; type="{LD_JSON}"'


def with_context(payload: Any, context: Context) -> Any:
    """Returns the payload with the ``@context`` first, in each of its entities when it is a list."""
    if isinstance(payload, list):
        return [with_context(item, context) for item in payload]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(payload, msgspec.Raw):
        # an entity has an id at least, so something always follows
        return msgspec.Raw(b'{"@context":' + encode_json(context.member) + b"," + bytes(payload)[1:])
    return {"@context": context.member, **payload}
