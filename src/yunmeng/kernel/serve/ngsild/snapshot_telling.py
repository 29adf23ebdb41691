"""Who asked for it is told how a snapshot fares (ETSI GS CIM 009 §5.3.4, §5.16.6).

Told is that a snapshot is filled, that it was changed, and that it has gone: then ``expiresAt`` is not after
``notifiedAt``.
"""

from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.keeper import RecordNote
from yunmeng.kernel.model import NULL
from yunmeng.kernel.serve.couriers import Address
from yunmeng.kernel.serve.endpoint import Endpoint, read_endpoint
from yunmeng.kernel.serve.ngsild.snapshots import KIND, Snapshot, decode_snapshot
from yunmeng.kernel.serve.replies import JSON
from yunmeng.kernel.serve.services import Services

_ADDRESSES_MOST = 10_000

Key = tuple[str, str]
Post = Callable[[str, str, dict[str, Any]], None]


def read_receiver(endpoint: object, info: object) -> tuple[str, list[dict[str, str]]]:
    """Reads ``endpoint`` and ``receiverInfo`` of a snapshot (§5.2.41); null is none.

    Raises:
        BadInput: ``subscription.endpoint``, ``subscription.header``, ``json.*``.
        Unsupported: ``subscription.mqtt-missing``.
    """
    uri, pairs = (None if value in (None, NULL) else value for value in (endpoint, info))
    if uri is None or uri == "":
        return "", []
    found = _endpoint(uri, pairs)
    return found.uri, [{"key": key, "value": value} for key, value in found.receiver]


def _endpoint(uri: object, info: object) -> Endpoint:
    return read_endpoint({"endpoint": {"uri": uri, "receiverInfo": info or None}})


class SnapshotTeller:
    """Follows the snapshots that somebody wants to hear of; hands over what is to be told."""

    def __init__(self, services: Services, post: Post) -> None:
        self._services = services
        self._post = post
        self._followed: dict[Key, Snapshot] = {}
        self._told: dict[Key, int] = {}
        self._addresses: dict[Key, Address] = {}

    async def start(self) -> None:
        """Loads the snapshots that somebody wants to hear of."""
        for record in await self._services.state.records(KIND):
            self._follow((record.tenant, record.id), decode_snapshot(record.body))

    def address(self, tenant: str, id_: str) -> Address | None:
        """Returns where to tell of a snapshot, also of one that has gone."""
        return self._addresses.get((tenant, id_))

    async def note(self, note: RecordNote) -> None:
        """Takes note of a changed record."""
        if note.kind != KIND:
            return
        key = (note.tenant, note.id)
        record = None if note.dropped else await self._services.state.record(KIND, *key)
        if record is None:
            self._gone(key)
        elif self._follow(key, decode_snapshot(record.body)):
            held = self._followed[key]
            if self._is_news(key, held) and held.status != "preparing":
                self._tell(key, held, held.expires_at)

    def _follow(self, key: Key, held: Snapshot) -> bool:
        if not held.endpoint:
            self._followed.pop(key, None)
            return False
        self._followed[key] = held
        headers = {"Content-Type": JSON, "Accept": JSON}
        if key[0]:
            headers["NGSILD-Tenant"] = key[0]
        endpoint = _endpoint(held.endpoint, cast("object", held.receiver_info))
        # what has gone may still have to be told, so addresses stay for a while
        self._addresses.pop(key, None)
        self._addresses[key] = Address.of(endpoint, {**headers, **dict(endpoint.receiver)})
        if len(self._addresses) > _ADDRESSES_MOST:
            del self._addresses[next(iter(self._addresses))]
        return True

    def _is_news(self, key: Key, held: Snapshot) -> bool:
        """Tells a change from the mere note that a snapshot was used; after a start the times tell."""
        known, self._told[key] = self._told.get(key), held.modified_at
        if known is None:
            return held.modified_at >= held.last_used_at
        return held.modified_at != known

    def _gone(self, key: Key) -> None:
        self._told.pop(key, None)
        held = self._followed.pop(key, None)
        if held is not None:
            self._tell(key, held, min(held.expires_at, now_us()))

    def _tell(self, key: Key, held: Snapshot, expires_at: int) -> None:
        details = {
            "snapshotQueriesDetails": held.details,
            "temporalSnapshotQueriesDetails": held.temporal_details,
        }
        body = {
            "id": f"urn:ngsi-ld:SnapshotNotification:{uuid4()}",
            "type": "SnapshotNotification",
            "notifiedAt": format_us(now_us()),
            "snapshotId": held.id,
            "snapshotStatus": held.status,
            "snapshotPriority": held.priority,
            **{name: rows for name, rows in details.items() if rows},
            "expiresAt": format_us(expires_at),
        }
        self._post(*key, body)
