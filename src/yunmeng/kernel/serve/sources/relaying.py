"""Notifications that sources send: taken in, and told on to who subscribed here (ETSI GS CIM 009 §5.8.6)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, now_us
from yunmeng.kernel.link import relayed_subject
from yunmeng.kernel.model import Context, Document, expand_fragment
from yunmeng.kernel.serve.body import as_array, as_object, text_member
from yunmeng.kernel.serve.matching import fulfils, selected, tell
from yunmeng.kernel.serve.ngsild.negotiation import read_payload
from yunmeng.kernel.serve.replies import Reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.asking import Asking, Sight
from yunmeng.kernel.serve.sources.forwarding import Forwarder, Origin
from yunmeng.kernel.serve.sources.judging import within
from yunmeng.kernel.serve.sources.legs import LEG, Leg, Relayed
from yunmeng.kernel.serve.sources.merging import merged
from yunmeng.kernel.serve.sources.reading import FederatedState
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.registry import alias_in
from yunmeng.kernel.serve.sources.remote import keep_times
from yunmeng.kernel.serve.sources.warnings import Warnings
from yunmeng.kernel.serve.watching import Watch
from yunmeng.kernel.trust import Reach

_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))

_leg = msgspec.json.Decoder(Leg).decode
_encode = msgspec.msgpack.Encoder().encode
_document = msgspec.json.Decoder(Document).decode


async def receive(call: Call) -> Response:
    """Takes in the notification of a source; only who names one of its parts of subscriptions is heard."""
    payload = await read_payload(call)
    body = as_object(payload.value, "notification")
    if body.get("type") != "Notification":
        raise BadInput("notification.type")
    record = await call.services.state.record(LEG, "", text_member(body, "subscriptionId"))
    if record is None:
        raise NotFound("notification.unknown")
    leg = _leg(record.body)
    data = [as_object(item, "data") for item in as_array(body.get("data"), "data")]
    relayed = Relayed(leg.tenant, leg.subscription, leg.source.id, payload.context.member, data)
    await call.services.bus.publish(relayed_subject(leg.tenant), _encode(relayed), call.principal)
    return Reply(b"", 200)


@dataclass(frozen=True, slots=True)
class Relay:
    """Makes what a source has notified of into what a subscription here tells."""

    services: Services
    forwarder: Forwarder
    alias: str
    registrations: Callable[[str], Iterable[Registration]]

    async def rows(
        self, watch: Watch, relayed: Relayed, reach: Reach, hidden: Collection[str]
    ) -> list[dict[str, Any]]:
        """Returns the entities as the subscription wants them shown, without those it may not see."""
        context = await self.services.contexts.resolve(relayed.context)
        home = self.services.settings.node.division
        rows: list[dict[str, Any]] = []
        for row in relayed.data:
            if "deletedAt" in row or watch.show_changes:
                # what is gone shows no division, and lies where the node does
                if within({}, reach, home):
                    rows.append(_renamed(row, context, watch.context, hidden))
                continue
            document: Document | None = _stored(row, context)
            if document is None or not within(document, reach, home):
                continue
            if watch.split:
                document = await self.whole(watch, document, reach, relayed.source)
            if document is not None:
                rows.append(tell(watch, document, hidden))
        return rows

    async def whole(
        self, watch: Watch, document: Document, reach: Reach, source: str = ""
    ) -> Document | None:
        """Returns an entity with what others have of it, None when the subscription does not ask for it.

        ``source`` is where the document comes from, this node when it is empty.
        """
        body = await self.beyond(watch, source).get(reach, str(document["id"]))
        found = merged([document, _document(body)] if body is not None else [document])
        fits = found is not None and selected(watch, found["id"], found["type"]) and fulfils(watch, found)
        return found if fits else None

    def beyond(self, watch: Watch, source: str = "") -> FederatedState:
        """Returns a reader over this node and its sources but for one."""
        now = now_us()
        others = [one for one in self.registrations(watch.tenant) if one.id != source and one.active(now)]
        origin = Origin(watch.tenant, {}, alias_in(self.alias, watch.tenant))
        contexts, home = self.services.contexts, self.services.settings.node.division
        sight = Sight(self.forwarder, origin, contexts, Asking(watch.context), Warnings(origin.alias))
        return FederatedState(self.services.state, others, sight, home)


def _stored(row: Mapping[str, Any], context: Context) -> Document | None:
    """Returns a notified entity in the stored form; deleted attributes are nulls in it."""
    try:
        document = expand_fragment(dict(row), context)
    except BadInput:
        return None
    if "id" not in document or "type" not in document:
        return None
    keep_times(row, document, context)
    return document


def _renamed(
    row: Mapping[str, Any], context: Context, other: Context, hidden: Collection[str]
) -> dict[str, Any]:
    """Returns a row as it came, with the names of another context."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in _MEMBERS:
            found[name] = _types(value, context, other) if name == "type" else value
        elif name != "@context" and context.expand(name) not in hidden:
            found[other.compact(context.expand(name))] = value
    return found


def _types(value: object, context: Context, other: Context) -> object:
    if isinstance(value, list):
        return [_types(one, context, other) for one in cast("list[object]", value)]
    return other.compact(context.expand(value)) if isinstance(value, str) else value
