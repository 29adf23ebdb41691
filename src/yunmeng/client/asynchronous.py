"""The client to be awaited."""

from collections.abc import AsyncIterator, Iterable, Mapping
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


class AsyncClient:
    """A connection to one broker; use it in an ``async with`` block, or call :meth:`close`.

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
        self._http = httpx.AsyncClient(headers=self._home.headers, timeout=timeout)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def sign_in(self, name: str, password: str) -> None:
        """Signs in at a Yunmeng node with an account; other brokers want a ``token``."""
        login = {"name": name, "password": password}
        answer = await self._send({"method": "POST", "url": f"{self._home.node}/api/session", "json": login})
        self._http.headers["X-CSRF-Token"] = decoded(answer)["csrf"]

    # entities

    async def get(
        self, id: str, attributes: Names = (), *, format: Format = "simplified", **more: str
    ) -> Entity:
        """Returns an entity; ``more`` are further parameters of the standard, such as ``lang="en"``."""
        return await self._do(asks.retrieve(id, attributes, format, more))

    async def query(
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
    ) -> AsyncIterator[Entity]:
        """Yields every entity that fits, page after page.

        ``near`` is (longitude, latitude, metres), ``within`` a GeoJSON polygon; ``q`` and ``scope`` are
        conditions as the standard writes them (§4.9, §4.19); ``more`` are further parameters.
        """
        selected = asks.selection(
            type, id=id, q=q, attributes=attributes, scope=scope, near=near, within=within, more=more
        )
        async for item in self._pages(asks.query(selected, format, page)):
            yield item

    async def count(
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
        return await self._do(asks.count(selected))

    async def create(self, entity: Entity) -> None:
        """Makes an entity; status 409 when there is one of its id."""
        await self._do(asks.create(entity))

    async def upsert(self, entities: Entity | Iterable[Entity], *, replace: bool = False) -> list[str]:
        """Makes entities, or changes those that exist; returns the ids of the new ones.

        What an existing entity has besides the attributes given stays, unless ``replace``. Large numbers
        are sent in parts; see :meth:`batch` for refusals.
        """
        items = [cast("Entity", entities)] if isinstance(entities, dict) else entities
        return await self.batch("upsert", items, **({} if replace else {"options": "update"}))

    async def batch(self, operation: BatchOperation, items: Iterable[Entity | str], **more: str) -> list[str]:
        """Carries out one operation on many entities (for ``delete``: ids), in parts where there are many.

        Returns the ids that are new. Raises BatchError, after the last part, when some were refused.
        """
        return asks.joined([await self._do(ask) for ask in asks.batch(operation, items, more)])

    async def update(self, id: str, attributes: Mapping[str, Any]) -> None:
        """Changes attributes that the entity has; status 207 when it lacks one."""
        await self._do(asks.change("PATCH", f"{asks.path_of(id)}/attrs", dict(attributes)))

    async def append(self, id: str, attributes: Mapping[str, Any]) -> None:
        """Adds attributes, or changes those that are there."""
        await self._do(asks.change("POST", f"{asks.path_of(id)}/attrs", dict(attributes)))

    async def merge(self, id: str, fragment: Mapping[str, Any]) -> None:
        """Merges a fragment into an entity: what it names is added or changed, ``None`` deletes."""
        await self._do(asks.change("PATCH", asks.path_of(id), asks.fragment(fragment)))

    async def replace(self, entity: Entity) -> None:
        """Replaces an entity that exists, whole."""
        await self._do(asks.change("PUT", asks.path_of(asks.whole(entity)["id"]), entity))

    async def delete(self, id: str) -> None:
        """Deletes an entity."""
        await self._do(asks.change("DELETE", asks.path_of(id)))

    async def delete_attribute(self, id: str, name: str) -> None:
        """Deletes one attribute of an entity."""
        await self._do(asks.change("DELETE", f"{asks.path_of(id)}/attrs/{asks.quoted(name)}"))

    # history

    async def history(
        self, id: str, attributes: Names = (), *, since: Moment = "", until: Moment = "", last: int = 0
    ) -> Evolution:
        """Returns how attributes evolved: ``{"temperature": [(21.5, datetime), ...]}``, oldest first.

        ``since`` and ``until`` are times with a zone; ``last`` takes the newest so many of each. What the
        broker answers in parts is joined.
        """
        piece = await self._do(temporal.evolution(id, attributes, Window(since, until, last)))
        pieces = [piece]
        while piece.next is not None:
            piece = await self._do(piece.next)
            pieces.append(piece)
        return temporal.whole([one.series for one in pieces], last)

    async def aggregates(
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
        return await self._do(temporal.aggregates(id, attributes, methods, period, Window(since, until)))

    # subscriptions

    async def subscribe(
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
        return await self._do(ask)

    async def create_subscription(self, subscription: Mapping[str, Any]) -> str:
        """Makes a subscription as the standard writes it; returns its id."""
        return await self._do(asks.create_subscription(subscription))

    async def subscriptions(self) -> AsyncIterator[dict[str, Any]]:
        """Yields the subscriptions, with how their notifications went."""
        async for item in self._pages(asks.subscriptions()):
            yield item

    async def unsubscribe(self, id: str) -> None:
        """Deletes a subscription."""
        await self._do(asks.change("DELETE", f"/subscriptions/{asks.quoted(id)}"))

    # names

    async def types(self) -> list[str]:
        """Returns the types of the entities that there are."""
        return await self._do(asks.names_of("/types", "typeList"))

    async def attributes(self) -> list[str]:
        """Returns the names of the attributes that there are."""
        return await self._do(asks.names_of("/attributes", "attributeList"))

    async def add_context(self, document: Mapping[str, Any]) -> str:
        """Hosts a JSON-LD context at the broker; returns its URL, to be given as ``context``."""
        return await self._do(asks.add_context(document))

    async def contexts(self) -> list[str]:
        """Returns the URLs of the contexts that the broker hosts or holds."""
        return await self._do(Ask("GET", "/jsonldContexts", decoded))

    async def context(self, url: str) -> dict[str, Any]:
        """Returns a context document that the broker hosts or holds."""
        return await self._do(Ask("GET", asks.context_path(url), decoded))

    async def delete_context(self, url: str) -> None:
        """Deletes a hosted context."""
        await self._do(asks.change("DELETE", asks.context_path(url)))

    async def _pages(self, ask: Ask[asks.Page] | None) -> AsyncIterator[dict[str, Any]]:
        while ask is not None:
            page = await self._do(ask)
            for item in page.items:
                yield item
            ask = page.next

    async def _do(self, ask: Ask[T]) -> T:
        return ask.read(await self._send(self._home.request(ask)))

    async def _send(self, request: Mapping[str, Any]) -> httpx.Response:
        try:
            return checked(await self._http.request(**request))
        except (httpx.HTTPError, httpx.InvalidURL) as cause:
            raise unanswered(self._home.url, cause) from cause
