"""Contexts that this node hosts itself: resolved from its own records, without a call over the network."""

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import msgspec

from yunmeng.kernel.model import ContextMember
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.services import Services

CONTEXT_KIND = "jsonld-context"
CONTEXTS = "/ngsi-ld/v1/jsonldContexts"
OWN_CONTEXT = "/contexts/yunmeng.jsonld"


async def learn_hosted(call: Call, member: ContextMember | None) -> None:
    """Gives the library every context of the member that lies on this node."""
    await learn(call.services, call.tenant, own_urls(call, member))


def own_urls(call: Call, member: ContextMember | None) -> tuple[str, ...]:
    """Returns the URLs of the member that lie on this node, as the caller addresses it."""
    urls = [member] if isinstance(member, str) else member if isinstance(member, list) else []
    return tuple(url for url in urls if isinstance(url, str) and _is_own(call, url))


async def learn(services: Services, tenant: str, urls: Iterable[str]) -> None:
    """Gives the library the contexts that lie on this node under these URLs."""
    for url in urls:
        if services.contexts.document(url) is None:
            await _learn(services, tenant, url)


def _is_own(call: Call, url: str) -> bool:
    parts = urlsplit(url)
    own = parts.netloc == header(call.request, b"host")
    return own and (parts.path == OWN_CONTEXT or parts.path.startswith(f"{CONTEXTS}/"))


async def _learn(services: Services, tenant: str, url: str) -> None:
    path = urlsplit(url).path
    if path == OWN_CONTEXT:
        services.contexts.add(url, services.types.context())
        return
    id_ = unquote(path.removeprefix(f"{CONTEXTS}/"))
    record = await services.state.record(CONTEXT_KIND, tenant, id_)
    if record is not None:
        services.contexts.add(url, msgspec.json.decode(record.body)["body"])
