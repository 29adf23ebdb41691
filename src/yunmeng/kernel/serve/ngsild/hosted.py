"""Contexts that this node hosts itself: resolved from its own records, without a call over the network."""

from urllib.parse import unquote, urlsplit

import msgspec

from yunmeng.kernel.model.contexts import ContextMember
from yunmeng.kernel.serve.routes import Call

CONTEXT_KIND = "jsonld-context"
CONTEXTS = "/ngsi-ld/v1/jsonldContexts"
OWN_CONTEXT = "/contexts/yunmeng.jsonld"


async def learn_hosted(call: Call, member: ContextMember | None) -> None:
    """Gives the library every context of the member that lies on this node."""
    urls = [member] if isinstance(member, str) else member if isinstance(member, list) else []
    for url in urls:
        if isinstance(url, str) and _is_own(call, url) and call.services.contexts.document(url) is None:
            await _learn(call, url)


def _is_own(call: Call, url: str) -> bool:
    parts = urlsplit(url)
    own = parts.netloc == call.request.headers.get("host", "")
    return own and (parts.path == OWN_CONTEXT or parts.path.startswith(f"{CONTEXTS}/"))


async def _learn(call: Call, url: str) -> None:
    path = urlsplit(url).path
    if path == OWN_CONTEXT:
        call.services.contexts.add(url, call.services.types.context())
        return
    id_ = unquote(path.removeprefix(f"{CONTEXTS}/"))
    record = await call.services.state.record(CONTEXT_KIND, call.tenant, id_)
    if record is not None:
        call.services.contexts.add(url, msgspec.json.decode(record.body)["body"])
