"""How subscriptions are shown, and how they fare (ETSI GS CIM 009 §5.2.12, §5.2.14.2)."""

import re
from typing import Any

import msgspec

from yunmeng.kernel.base import instant_us, now_us
from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.watching import Kept


class Status(msgspec.Struct):
    """How a subscription fares; times are ISO 8601 text, empty for never.

    A notification counts once as sent, and once as failed when its first attempt fails.
    """

    times_sent: int = 0
    times_failed: int = 0
    last_notification: str = ""
    last_success: str = ""
    last_failure: str = ""
    dropped: int = 0


def describe(
    kept: Kept, status: Status, context: Context, names: Context, *, sysattrs: bool
) -> dict[str, Any]:
    """Returns a subscription as a client reads it: names of ``context`` written as ``names`` writes them."""
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(kept.body))

    def rename(terms: list[str]) -> list[str]:
        return [names.compact(context.expand(term)) for term in terms]

    if "watchedAttributes" in body:
        body["watchedAttributes"] = rename(body["watchedAttributes"])
    for one in body.get("entities", ()):
        if re.fullmatch(r"[\w-]+|[A-Za-z][\w+.-]*:[^\s,;|()]+", one["type"]):
            one["type"] = names.compact(context.expand(one["type"]))
    notification = body["notification"]
    if "attributes" in notification:
        notification["attributes"] = rename(notification["attributes"])
    expired = "expiresAt" in body and instant_us(body["expiresAt"]) <= now_us()
    body["status"] = "expired" if expired else "active" if body.get("isActive", True) else "paused"
    _add_status(notification, status)
    if sysattrs:
        body["createdAt"], body["modifiedAt"] = kept.created_at, kept.modified_at
    return {"id": kept.id, **body}


def _add_status(notification: dict[str, Any], status: Status) -> None:
    if status.last_notification or status.last_failure:
        failed = status.last_failure > status.last_success
        notification["status"] = "failed" if failed else "ok"
    # before anything was sent there is nothing to count
    known = {
        "timesSent": status.times_sent,
        "timesFailed": status.times_failed,
        "lastNotification": status.last_notification,
        "lastSuccess": status.last_success,
        "lastFailure": status.last_failure,
    }
    notification.update({name: value for name, value in known.items() if value})
