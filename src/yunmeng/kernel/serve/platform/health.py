"""Is it alive, can it work, how is it doing."""

import asyncio
from collections.abc import Awaitable

from starlette.responses import Response

from yunmeng.kernel.base import YunmengError, sentence
from yunmeng.kernel.keeper import quarantine_loss
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.metrics import TEXT
from yunmeng.kernel.serve.replies import Reply, json_reply
from yunmeng.kernel.serve.routes import Call, Language
from yunmeng.kernel.trust import Reach

_PATIENCE_S = 2.0
_UNAVAILABLE = 503


async def health(call: Call) -> Response:
    """Says that the process answers."""
    return json_reply({"status": "ok"})


async def ready(call: Call) -> Response:
    """Asks bus, state and history; 503 names what does not answer."""
    services = call.services
    checks: dict[str, Awaitable[object]] = {
        "bus": services.bus.read("AUD", 1, 1),
        "state": services.state.get(Reach(), "urn:ngsi-ld:Ready:none"),
        "history": services.history.count(),
    }
    found = await asyncio.gather(*(_check(check, call.language) for check in checks.values()))
    down = {name: reason for name, reason in zip(checks, found, strict=True) if reason}
    parts = {name: "down" if name in down else "ok" for name in checks}
    body = {"status": "down" if down else "ready", "parts": parts, "down": down}
    return json_reply(body, _UNAVAILABLE if down else 200)


async def _check(check: Awaitable[object], language: Language) -> str:
    """Returns why a part does not answer, nothing when it does."""
    try:
        await asyncio.wait_for(check, _PATIENCE_S)
    except TimeoutError:
        return sentence("part.slow", {"seconds": _PATIENCE_S}, language)
    except YunmengError as error:
        return sentence(error.key, error.facts, language)
    except Exception as failure:  # noqa: BLE001 - whatever a broken engine raises is the answer here
        return f"{type(failure).__name__}: {failure}"
    return ""


async def metrics(call: Call) -> Response:
    """Shows the counts of all api processes, and of the keeper's quarantine, for Prometheus."""
    here = desk(call)
    told = await here.siblings.ask("metrics")
    return Reply(here.metrics.text(told, await _kept(call)).encode(), 200, TEXT)


async def _kept(call: Call) -> dict[str, int]:
    try:
        loss = await quarantine_loss(call.services.state)
    except YunmengError:
        # whoever watches has to see the other counts just when a store is away
        return {}
    return {"quarantine_dropped": loss.count}
