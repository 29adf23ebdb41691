"""What the notifier writes down: how subscriptions fare, and the notifications that could not go out yet."""

import logging
import time
from collections.abc import Callable, Iterable
from itertools import count

import msgspec
from msgspec.structs import replace

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.serve.couriers import Address
from yunmeng.kernel.serve.delivery import Key, Post
from yunmeng.kernel.serve.describing import Status
from yunmeng.kernel.serve.endpoint import read_endpoint
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.watching import SUBSCRIPTION_STATUS
from yunmeng.kernel.trust import Principal

PARKED = "notification"
SERVICE = Principal("urn:yunmeng:service:notifier", kind="service", roles=("service",))

_log = logging.getLogger("yunmeng.notifier")
_status = msgspec.json.Decoder(Status).decode
_encode = msgspec.json.Encoder().encode


class Parked(msgspec.Struct, frozen=True):
    """A notification at rest; ``born`` is in seconds since 1970 UTC.

    ``endpoint`` and ``headers`` say where it goes, where no subscription says so.
    """

    subscription: str
    body: str
    born: float
    attempts: int = 0
    endpoint: str = ""
    headers: dict[str, str] = {}

    def address(self) -> Address | None:
        """Returns where it goes, None when its subscription says that."""
        if not self.endpoint:
            return None
        return Address.of(read_endpoint({"endpoint": {"uri": self.endpoint}}), self.headers)


_parked = msgspec.json.Decoder(Parked).decode


class Ledger:
    """Counts at once, and writes down when told to."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._statuses: dict[Key, Status] = {}
        self._changed: set[Key] = set()
        self._arrived: list[tuple[str, str, str]] = []
        self._numbers = count(1)

    async def load(self) -> list[Post]:
        """Takes up what was written down; returns the notifications that are still to go out."""
        state = self._services.state
        for record in await state.records(SUBSCRIPTION_STATUS):
            self._statuses[record.tenant, record.id] = _status(record.body)
        posts: list[Post] = []
        for record in await state.records(PARKED):
            one, tenant = _parked(record.body), record.tenant
            body = one.body.encode()
            address = one.address()
            if address is None:
                self.of(tenant, one.subscription)
            posts.append(
                Post(
                    tenant,
                    one.subscription,
                    body,
                    one.born,
                    nothing,
                    record.id,
                    one.attempts,
                    parked=True,
                    address=address,
                )
            )
        return posts

    def of(self, tenant: str, id_: str) -> Status:
        """Returns how a subscription fares."""
        return self._statuses.setdefault((tenant, id_), Status())

    def known(self, tenant: str, ids: Iterable[str]) -> dict[str, Status]:
        """Returns how those of these subscriptions fare of which anything is known, by id."""
        return {id_: self._statuses[tenant, id_] for id_ in ids if (tenant, id_) in self._statuses}

    def forget(self, tenant: str, id_: str) -> None:
        """Lets go of a subscription that is gone."""
        self._statuses.pop((tenant, id_), None)
        self._changed.discard((tenant, id_))

    def born(self, tenant: str, id_: str, body: bytes, done: Callable[[], None]) -> Post:
        """Returns a new notification to be sent, and counts it as the last one."""
        self.of(tenant, id_).last_notification = format_us(now_us())
        self._changed.add((tenant, id_))
        return Post(tenant, id_, body, time.time(), done)

    def tried(self, post: Post, reason: str) -> None:
        """Counts an attempt; ``reason`` says why it failed, nothing when it did not.

        The standard knows one attempt only, so the first one of a notification counts (§5.8.6).
        """
        status = self._statuses.get((post.tenant, post.subscription))
        if status is not None:
            status.times_sent += not post.attempts
            status.times_failed += bool(reason) and not post.attempts
            if reason:
                status.last_failure = format_us(now_us())
            else:
                status.last_success = format_us(now_us())
            self._changed.add((post.tenant, post.subscription))
        if not reason:
            self._finish(post)

    def lost(self, post: Post) -> None:
        """Counts a notification that is given up, if its subscription is still there."""
        status = self._statuses.get((post.tenant, post.subscription))
        if status is not None:
            status.dropped += 1
            self._changed.add((post.tenant, post.subscription))
            _log.error("a notification of %s was given up", post.subscription)
        self._finish(post)

    def _finish(self, post: Post) -> None:
        post.over = True
        if post.parked:
            self._arrived.append((PARKED, post.tenant, post.key))
        post.done()

    async def settle(self, posts: list[Post]) -> None:
        """Writes down what has changed, and parks these notifications."""
        arrived, changed = self._arrived[:], list(self._changed)
        puts = [self._park(post) for post in posts]
        puts += [RecordPut(SUBSCRIPTION_STATUS, *key, _encode(self.of(*key))) for key in changed]
        if not puts and not arrived:
            return
        self._changed.difference_update(changed)
        try:
            await keep_records(self._services.bus, SERVICE, puts, arrived)
        except BaseException:
            self._changed.update(key for key in changed if key in self._statuses)
            raise
        del self._arrived[: len(arrived)]
        for post in posts:
            post.parked = True
            if post.over:
                # it went out while it was being parked
                self._arrived.append((PARKED, post.tenant, post.key))
            post.done()

    def _park(self, post: Post) -> RecordPut:
        post.key = post.key or f"{int(post.born * 1_000_000):020d}-{next(self._numbers):010d}"
        record = Parked(post.subscription, post.body.decode(), post.born, post.attempts)
        if post.address is not None:
            to = post.address
            record = replace(record, endpoint=to.endpoint.uri, headers=dict(to.headers))
        return RecordPut(PARKED, post.tenant, post.key, _encode(record))


def nothing() -> None:
    """What is done when nobody waits for a post."""
