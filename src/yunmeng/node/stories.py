"""The stories of the demo: what people do about what it shows, told by the packages over HTTP."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pkgutil import resolve_name
from typing import cast

import httpx

from yunmeng.kernel.base import Settings, YunmengError, packages
from yunmeng.kernel.trust import SYSTEM
from yunmeng.node.parts import Parts

Story = Callable[[httpx.AsyncClient, Settings], Awaitable[None]]

_PATIENCE_S = 60.0
_log = logging.getLogger("yunmeng.demo")


async def tell_stories(parts: Parts) -> None:
    """Tells the stories of all packages, each once; one that breaks off is taken up at the next start."""
    accounts = parts.accounts()
    home = (parts.settings.node.division,)
    text, token = await accounts.issue_token(
        "demo-story", "service", by=SYSTEM, roles=("operator",), divisions=home, days=1
    )
    url, headers = parts.folder.endpoints().http_url, {"Authorization": f"Bearer {text}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_PATIENCE_S) as client:
            await asyncio.gather(*(_tell(story, client, parts.settings) for story in _stories()))
    finally:
        await accounts.revoke_token(token.id, by=SYSTEM)


async def _tell(story: Story, client: httpx.AsyncClient, settings: Settings) -> None:
    try:
        await story(client, settings)
    except (httpx.HTTPError, YunmengError, TimeoutError) as error:
        _log.warning("%s broke off: %s: %s", story.__module__, type(error).__name__, error)


def _stories() -> list[Story]:
    return [cast("Story", resolve_name(package.story)) for package in packages() if package.story]
