"""The search for evolutions: what a request wants to see, and what there is of it (ETSI §5.7.4)."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Context, Document
from yunmeng.kernel.serve.grades import closed
from yunmeng.kernel.serve.ngsild.evolution import HEAD
from yunmeng.kernel.serve.ngsild.negotiation import Media, accepted
from yunmeng.kernel.serve.ngsild.parameters import Page, Parameters
from yunmeng.kernel.serve.ngsild.representation import View, read_view
from yunmeng.kernel.serve.ngsild.temporal_parameters import (
    Aggregation,
    TimeWindow,
    read_aggregation,
    read_window,
    wants_pairs,
)
from yunmeng.kernel.serve.ngsild.temporal_selection import (
    Found,
    Series,
    candidates,
    fits,
    query_of,
    scoped,
    settle,
    values,
)
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery


@dataclass(frozen=True, slots=True)
class Search:
    """What one request wants to see, when, and up to how many values of each attribute."""

    view: View
    window: TimeWindow
    aggregation: Aggregation | None
    simple: bool
    media: Media
    most: int

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes to read, none for all."""
        picked = self.view.pick - frozenset(HEAD)
        return tuple(sorted(self.view.attrs or picked))


def read_search(call: Call, parameters: Parameters, context: Context, *, needed: bool) -> Search:
    """Reads what is wanted; ``needed`` says that a window must be given.

    Raises:
        BadInput: ``temporal.*``, ``query.*``.
    """
    media = accepted(call.request)
    if any("{" in parameters.get(name, "") for name in ("pick", "omit", "q")):
        raise BadInput("temporal.linked")
    return Search(
        read_view(parameters, context, media),
        read_window(parameters, needed=needed),
        read_aggregation(parameters),
        wants_pairs(parameters),
        media,
        call.services.settings.http.temporal_values,
    )


async def find(call: Call, query: EntityQuery, search: Search, wanted: Page) -> tuple[list[Found], bool, int]:
    """Returns one page of the entities that have fitting values, whether more follow, and how many."""
    found: list[Found] = []
    count = 0
    async for chunk in find_all(call, query, search):
        for one in chunk:
            if wanted.offset <= count < wanted.offset + wanted.limit:
                found.append(one)
            count += 1
        if count > wanted.offset + wanted.limit and not wanted.count:
            break
    return found, count > wanted.offset + wanted.limit, count


async def find_all(call: Call, query: EntityQuery, search: Search) -> AsyncIterator[list[Found]]:
    """Yields the entities that have fitting values, by id, some at a time."""
    async for chunk in candidates(call, query):
        await settle(call, chunk)
        yield await _fitting(call, query, chunk, search)


async def _fitting(call: Call, query: EntityQuery, chunk: Sequence[Document], search: Search) -> list[Found]:
    whole = query.conditions is not None or query.geo is not None or query.scope is not None
    series = await evolutions_of(call, chunk, search, whole=whole)
    if query.scope is not None:
        series = await scoped(call, query.scope, chunk, series)
    return [
        Found(document, one)
        for document in chunk
        if (one := series.get(str(document["id"]))) is not None and fits(query, document, one)
    ]


async def evolutions_of(
    call: Call, documents: Sequence[Document], search: Search, *, whole: bool = False
) -> Mapping[str, Series]:
    """Returns the values of these entities, by entity and attribute; ``whole``: of all attributes.

    For aggregates the attributes are there without the values.
    """
    attributes = () if whole else search.attributes
    ids = [str(one["id"]) for one in documents]
    if search.aggregation is not None and not whole and ids:
        return await _present(call, ids, search)
    return await values(call, ids, attributes, search.view, search.window, search.most + 1)


async def _present(call: Call, ids: Sequence[str], search: Search) -> Mapping[str, Series]:
    """Returns which attributes have values in the window, without the values."""
    query = query_of(call, ids, search.attributes, search.view, search.window, 1)
    hidden = closed(call)
    found: defaultdict[str, Series] = defaultdict(dict)
    for row in await call.services.history.aggregate(query, ("totalCount",), 0):
        if row.attribute not in hidden:
            found[row.entity][row.attribute] = []
    return found
