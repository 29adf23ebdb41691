"""Who this context source is (ETSI GS CIM 009 §5.15.1, §6.33)."""

from time import monotonic

from starlette.responses import Response

from yunmeng.kernel.base import format_us, make_urn, now_us
from yunmeng.kernel.serve.ngsild.negotiation import accepted, answer, request_context
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.sources.sources import alias_of

_STARTED = monotonic()


async def identity(call: Call) -> Response:
    """Tells the node's name for the tenant, how long it has been up, and its clock."""
    media, context = accepted(call.request), await request_context(call)
    alias = alias_of(call)
    shown = {
        "id": make_urn("ContextSourceIdentity", alias),
        "type": "ContextSourceIdentity",
        "contextSourceAlias": alias,
        "contextSourceUptime": f"PT{int(monotonic() - _STARTED)}S",
        "contextSourceTimeAt": format_us(now_us()),
    }
    return answer(shown, context, media)
