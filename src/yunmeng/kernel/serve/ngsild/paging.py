"""The links between the pages of an answer (ETSI GS CIM 009 §5.5.9, §6.3.10)."""

from urllib.parse import quote

from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import accepted
from yunmeng.kernel.serve.ngsild.parameters import Page
from yunmeng.kernel.serve.replies import LD_JSON
from yunmeng.kernel.serve.routes import Call


def paging(call: Call, wanted: Page, *, more: bool, entities: bool = True) -> dict[str, str]:
    """Returns the Link header to the pages before and after this one.

    Pages of ``entities`` come as this one does; of what the node itself keeps, JSON-LD can be had always.
    """
    links: list[str] = []
    media = accepted(call.request, geo=True) if entities else LD_JSON
    if wanted.offset and wanted.limit:
        address = _address(call, wanted.limit, max(0, wanted.offset - wanted.limit), ordered=entities)
        links.append(f'<{address}>;rel="prev";type="{media}"')
    if more:
        address = _address(call, wanted.limit, wanted.offset + wanted.limit, ordered=entities)
        links.append(f'<{address}>;rel="next";type="{media}"')
    return {"Link": ", ".join(links)} if links else {}


def _address(call: Call, limit: int, offset: int, *, ordered: bool) -> str:
    kept = [(n, v) for n, v in parameters_of(call.request).multi_items() if n not in ("limit", "offset")]
    pairs = [*kept, ("limit", str(limit)), ("offset", str(offset))]
    # parameters in one order: equal pages of entities have equal addresses
    query = "&".join([f"{_quoted(n)}={_quoted(v)}" for n, v in (sorted(pairs) if ordered else pairs)])
    return f"{call.request.url.path.rstrip('/')}?{query}"


def _quoted(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote(text, safe=":*")
