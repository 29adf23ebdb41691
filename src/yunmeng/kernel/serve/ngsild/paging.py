"""The links between the pages of an answer (ETSI GS CIM 009 §5.5.9, §6.3.10)."""

from urllib.parse import quote, urlencode

from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import accepted
from yunmeng.kernel.serve.ngsild.parameters import Page
from yunmeng.kernel.serve.routes import Call


def paging(call: Call, wanted: Page, *, more: bool, media: str = "") -> dict[str, str]:
    """Returns the Link header to the pages before and after this one, of the media type of this answer.

    ``media`` names another type: what is not entities is linked data first of all.
    """
    media = media or accepted(call.request, geo=True)
    links: list[str] = []
    if wanted.offset and wanted.limit:
        links.append(_page_link(call, wanted.limit, max(0, wanted.offset - wanted.limit), "prev", media))
    if more:
        links.append(_page_link(call, wanted.limit, wanted.offset + wanted.limit, "next", media))
    return {"Link": ", ".join(links)} if links else {}


def _page_link(call: Call, limit: int, offset: int, relation: str, media: str) -> str:
    kept = [(n, v) for n, v in parameters_of(call.request).multi_items() if n not in ("limit", "offset")]
    # in one order, so that equal pages have equal addresses
    pairs = sorted([*kept, ("limit", str(limit)), ("offset", str(offset))])
    address = urlencode(pairs, quote_via=quote, safe=":*")
    path = call.request.url.path.rstrip("/")
    return f'<{path}?{address}>;rel="{relation}";type="{media}"'
