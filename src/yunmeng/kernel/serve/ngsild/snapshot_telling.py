"""Who asked for it is told how a snapshot fares (ETSI GS CIM 009 §5.3.4, §5.16.6).

Told is that a snapshot is filled, that it was changed, and that it has gone: then ``expiresAt`` is not after
``notifiedAt``. What goes while nobody follows is not told.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

from yunmeng.kernel.base import YunmengError, format_us, now_us
from yunmeng.kernel.keeper import RecordNote
from yunmeng.kernel.model import NULL
from yunmeng.kernel.serve.couriers import Address
from yunmeng.kernel.serve.endpoint import Endpoint, read_endpoint
from yunmeng.kernel.serve.ngsild.snapshots import KIND, Shelf, Snapshot, decode_snapshot
from yunmeng.kernel.serve.replies import JSON
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.trust import Principal

SWEEP_S = 60.0

Key = tuple[str, str]
Post = Callable[[str, str, Address, dict[str, Any]], None]

_log = logging.getLogger("yunmeng.notifier")


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
    """Follows snapshots: hands over what is to be told, and removes those that have ended."""

    def __init__(self, services: Services, principal: Principal, post: Post) -> None:
        self._services = services
        self._principal = principal
        self._post = post
        self._held: dict[Key, Snapshot] = {}
        self._told: dict[Key, int] = {}

    async def start(self) -> None:
        """Loads the snapshots."""
        for record in await self._services.state.records(KIND):
            self._held[record.tenant, record.id] = decode_snapshot(record.body)

    async def note(self, note: RecordNote) -> None:
        """Takes note of a changed record."""
        if note.kind != KIND:
            return
        key = (note.tenant, note.id)
        record = None if note.dropped else await self._services.state.record(KIND, *key)
        if record is None:
            held = self._held.pop(key, None)
            self._told.pop(key, None)
            if held is not None:
                self._tell(key, held, min(held.expires_at, now_us()))
            return
        held = self._held[key] = decode_snapshot(record.body)
        if held.status != "preparing" and held.modified_at != self._told.get(key):
            self._told[key] = held.modified_at
            self._tell(key, held, held.expires_at)

    async def run(self) -> None:
        """Removes what has ended, now and then, until it is cancelled."""
        while True:
            await self._sweep()
            await asyncio.sleep(SWEEP_S)

    async def _sweep(self) -> None:
        now = now_us()
        for (tenant, id_), held in tuple(self._held.items()):
            if held.expires_at > now:
                continue
            try:
                await Shelf(self._services, self._principal, tenant).remove((held,))
            except YunmengError as error:
                _log.warning("snapshot %s has ended and was not removed: %s", id_, error)

    def _tell(self, key: Key, held: Snapshot, expires_at: int) -> None:
        if not held.endpoint:
            return
        tenant, id_ = key
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
        self._post(tenant, id_, _address(tenant, held), body)


def _address(tenant: str, held: Snapshot) -> Address:
    endpoint = _endpoint(held.endpoint, cast("object", held.receiver_info))
    headers = {"Content-Type": JSON, "Accept": JSON, **({"NGSILD-Tenant": tenant} if tenant else {})}
    return Address.of(endpoint, {**headers, **dict(endpoint.receiver)})
