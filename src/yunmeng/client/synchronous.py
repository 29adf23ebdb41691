"""The client that waits."""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar, cast

import httpx

from yunmeng.client import asks, temporal
from yunmeng.client.asks import BatchOperation, Format, Method
from yunmeng.client.temporal import Aggregates, Evolution, Window
from yunmeng.client.values import Entity
from yunmeng.client.wire import Ask, Home, checked, decoded, unanswered

T = TypeVar("T")
Names = str | Iterable[str]
Moment = temporal.Moment


class Client:
    """A connection to one broker; use it in a ``with`` block, or call :meth:`close`.

    ``url`` is the broker's address, with or without ``/ngsi-ld/v1``. ``context`` is the URL of the JSON-LD
    context of your names (sent as Link header), ``tenant`` and ``token`` go with every request, ``timeout``
    is in seconds. Entities are plain dicts; they come back simplified (``{"temperature": 21.5}``) unless
    ``format`` asks for ``"normalized"`` or ``"concise"``.

    Every method raises ``BrokerError`` when the broker refuses (``error.status``, ``error.type``,
    ``error.title``, ``error.detail``) and ``Unavailable`` when it does not answer.
    """

    def __init__(
        self,
        url: str,
        *,
        tenant: str = "",
        context: str = "",
        token: str = "",
        language: str = "",
        timeout: float = 30.0,
    ) -> None:
        self._home = Home(url, tenant, context, token, language).check()
        self._http = httpx.Client(headers=self._home.headers, timeout=timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def sign_in(self, name: str, password: str) -> None:
        """Signs in at a Yunmeng node with an account; other brokers want a ``token``."""
        login = {"name": name, "password": password}
        answer = self._send({"method": "POST", "url": f"{self._home.node}/api/session", "json": login})
        self._http.headers["X-CSRF-Token"] = decoded(answer)["csrf"]

    # entities

    def get(self, id: str, attributes: Names = (), *, format: Format = "simplified", **more: str) -> Entity:
        """Returns an entity; ``more`` are further parameters of the standard, such as ``lang="en"``."""
        return self._do(asks.retrieve(id, attributes, format, more))

    def query(
        self,
        type: str = "",
        *,
        id: Names = (),
        q: str = "",
        attributes: Names = (),
        scope: str = "",
        near: tuple[float, float, float] | None = None,
        within: Mapping[str, Any] | None = None,
        format: Format = "simplified",
        page: int = 100,
        **more: str,
    ) -> Iterator[Entity]:
        """Yields every entity that fits, page after page.

        ``near`` is (longitude, latitude, metres), ``within`` a GeoJSON polygon; ``q`` and ``scope`` are
        conditions as the standard writes them (§4.9, §4.19); ``more`` are further parameters.
        """
        selected = asks.selection(
            type, id=id, q=q, attributes=attributes, scope=scope, near=near, within=within, more=more
        )
        yield from self._pages(asks.query(selected, format, page))

    def count(
        self,
        type: str = "",
        *,
        id: Names = (),
        q: str = "",
        attributes: Names = (),
        scope: str = "",
        near: tuple[float, float, float] | None = None,
        within: Mapping[str, Any] | None = None,
        **more: str,
    ) -> int:
        """Returns how many entities fit; the parameters are those of :meth:`query`."""
        selected = asks.selection(
            type, id=id, q=q, attributes=attributes, scope=scope, near=near, within=within, more=more
        )
        return self._do(asks.count(selected))

    def create(self, entity: Entity) -> None:
        """Makes an entity; status 409 when there is one of its id."""
        self._do(asks.create(entity))

    def upsert(self, entities: Entity | Iterable[Entity], *, replace: bool = False) -> list[str]:
        """Makes entities, or changes those that exist; returns the ids of the new ones.

        What an existing entity has besides the attributes given stays, unless ``replace``. Large numbers
        are sent in parts; see :meth:`batch` for refusals.
        """
        items = [cast("Entity", entities)] if isinstance(entities, dict) else entities
        return self.batch("upsert", items, **({} if replace else {"options": "update"}))

    def batch(self, operation: BatchOperation, items: Iterable[Entity | str], **more: str) -> list[str]:
        """Carries out one operation on many entities (for ``delete``: ids), in parts where there are many.

        Returns the ids that are new. Raises BatchError, after the last part, when some were refused.
        """
        return asks.joined([self._do(ask) for ask in asks.batch(operation, items, more)])

    def update(self, id: str, attributes: Mapping[str, Any]) -> None:
        """Changes attributes that the entity has; status 207 when it lacks one."""
        self._do(asks.change("PATCH", f"{asks.path_of(id)}/attrs", dict(attributes)))

    def append(self, id: str, attributes: Mapping[str, Any]) -> None:
        """Adds attributes, or changes those that are there."""
        self._do(asks.change("POST", f"{asks.path_of(id)}/attrs", dict(attributes)))

    def merge(self, id: str, fragment: Mapping[str, Any]) -> None:
        """Merges a fragment into an entity: what it names is added or changed, ``None`` deletes."""
        self._do(asks.change("PATCH", asks.path_of(id), asks.fragment(fragment)))

    def replace(self, entity: Entity) -> None:
        """Replaces an entity that exists, whole."""
        self._do(asks.change("PUT", asks.path_of(asks.whole(entity)["id"]), entity))

    def delete(self, id: str) -> None:
        """Deletes an entity."""
        self._do(asks.change("DELETE", asks.path_of(id)))

    def delete_attribute(self, id: str, name: str) -> None:
        """Deletes one attribute of an entity."""
        self._do(asks.change("DELETE", f"{asks.path_of(id)}/attrs/{asks.quoted(name)}"))

    # history

    def history(
        self, id: str, attributes: Names = (), *, since: Moment = "", until: Moment = "", last: int = 0
    ) -> Evolution:
        """Returns how attributes evolved: ``{"temperature": [(21.5, datetime), ...]}``, oldest first.

        ``since`` and ``until`` are times with a zone; ``last`` takes the newest so many of each. What the
        broker answers in parts is joined.
        """
        piece = self._do(temporal.evolution(id, attributes, Window(since, until, last)))
        pieces = [piece]
        while piece.next is not None:
            piece = self._do(piece.next)
            pieces.append(piece)
        return temporal.whole([one.series for one in pieces], last)

    def aggregates(
        self,
        id: str,
        attributes: Names = (),
        *,
        methods: Iterable[Method] = ("avg",),
        period: str = "",
        since: Moment = "",
        until: Moment = "",
    ) -> Aggregates:
        """Returns ``{"temperature": {"avg": [(21.5, begin, end), ...]}}`` over periods such as ``"PT1H"``.

        Without a period there is one value over everything.
        """
        return self._do(temporal.aggregates(id, attributes, methods, period, Window(since, until)))

    # subscriptions

    def subscribe(
        self,
        endpoint: str,
        type: str = "",
        *,
        id: str = "",
        watched: Names = (),
        attributes: Names = (),
        q: str = "",
        format: Format = "simplified",
        **more: Any,
    ) -> str:
        """Asks the broker to POST to ``endpoint`` when entities change; returns the subscription's id.

        ``watched`` are the attributes whose change counts, ``attributes`` those that are sent; ``more`` are
        further members of a Subscription (§5.2.12), such as ``throttling=5``.
        """
        ask = asks.subscription(
            endpoint, type=type, id=id, watched=watched, attributes=attributes, q=q, format=format, more=more
        )
        return self._do(ask)

    def create_subscription(self, subscription: Mapping[str, Any]) -> str:
        """Makes a subscription as the standard writes it; returns its id."""
        return self._do(asks.create_subscription(subscription))

    def subscriptions(self) -> Iterator[dict[str, Any]]:
        """Yields the subscriptions, with how their notifications went."""
        yield from self._pages(asks.subscriptions())

    def unsubscribe(self, id: str) -> None:
        """Deletes a subscription."""
        self._do(asks.change("DELETE", f"/subscriptions/{asks.quoted(id)}"))

    # names

    def types(self) -> list[str]:
        """Returns the types of the entities that there are."""
        return self._do(asks.names_of("/types", "typeList"))

    def attributes(self) -> list[str]:
        """Returns the names of the attributes that there are."""
        return self._do(asks.names_of("/attributes", "attributeList"))

    def add_context(self, document: Mapping[str, Any]) -> str:
        """Hosts a JSON-LD context at the broker; returns its URL, to be given as ``context``."""
        return self._do(asks.add_context(document))

    def contexts(self) -> list[str]:
        """Returns the URLs of the contexts that the broker hosts or holds."""
        return self._do(Ask("GET", "/jsonldContexts", decoded))

    def context(self, url: str) -> dict[str, Any]:
        """Returns a context document that the broker hosts or holds."""
        return self._do(Ask("GET", asks.context_path(url), decoded))

    def delete_context(self, url: str) -> None:
        """Deletes a hosted context."""
        self._do(asks.change("DELETE", asks.context_path(url)))

    def _pages(self, ask: Ask[asks.Page] | None) -> Iterator[dict[str, Any]]:
        while ask is not None:
            page = self._do(ask)
            yield from page.items
            ask = page.next

    def _do(self, ask: Ask[T]) -> T:
        return ask.read(self._send(self._home.request(ask)))

    def _send(self, request: Mapping[str, Any]) -> httpx.Response:
        try:
            return checked(self._http.request(**request))
        except (httpx.HTTPError, httpx.InvalidURL) as cause:
            raise unanswered(self._home.url, cause) from cause
