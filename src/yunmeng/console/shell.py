"""What the pages need before they draw anything: who is here, which node this is, views, boundaries."""

from typing import Any, get_args

import msgspec
from starlette.responses import Response

from yunmeng.console.asked import home
from yunmeng.console.quarantine import sees_node
from yunmeng.console.registry import views_of
from yunmeng.console.views import Views
from yunmeng.kernel.base import BadInput, Boundaries, Settings, boundaries, divisions
from yunmeng.kernel.serve import Call, squeezed_reply
from yunmeng.kernel.trust import Resource

_OFFERED = ("event.write", "quarantine.read", "quarantine.replay", "quarantine.drop")
_DAY = {"cache-control": "private, max-age=86400"}


async def console(call: Call) -> Response:
    """Answers with the principal, the node and the views that this tier shows."""
    settings = call.services.settings
    views = views_of(call.services)
    who = call.principal
    return squeezed_reply(
        call,
        {
            "user": {
                "id": who.id,
                "roles": who.roles,
                "divisions": who.divisions,
                "clearance": who.clearance,
                "may": [action for action in _OFFERED if _may(call, action)],
            },
            "language": call.language,
            "node": {
                "name": settings.node.name,
                "tier": settings.node.tier,
                "division": home(call),
                "demo": settings.demo.enabled,
            },
            "divisions": [_division(one) for one in divisions()],
            "views": shown(views, settings),
        },
    )


def _may(call: Call, action: str) -> bool:
    """Tells whether the pages offer something; the quarantine only to those who see the whole node."""
    kind = action.partition(".")[0]
    decision = call.services.policy.decide(call.principal, action, Resource(kind, tenant=call.tenant))
    whole = kind != "quarantine" or sees_node(decision.reach, call.services.settings)
    return decision.allowed and whole


def _division(one: Any) -> dict[str, Any]:
    return {
        "code": one.code,
        "zh": one.name_zh,
        "en": one.name_en,
        "parent": one.parent,
        "level": one.level,
        "prefecture": one.prefecture_unit,
        "county": one.county_unit,
        "lon": one.lon,
        "lat": one.lat,
    }


def shown(views: Views, settings: Settings) -> dict[str, Any]:
    """Returns the views as JSON, without those of other tiers."""
    everything = msgspec.to_builtins(views)
    tier = settings.node.tier
    return {
        part: [item for item in items if not item["tiers"] or tier in item["tiers"]]
        for part, items in everything.items()
        if part != "package"
    }


async def boundary(call: Call) -> Response:
    """Answers with the boundaries of a level as GeoJSON."""
    which = call.request.path_params["which"]
    if which not in get_args(Boundaries):
        raise BadInput(
            "console.parameter.bad", name="which", value=which, wanted=" | ".join(get_args(Boundaries))
        )
    body = boundaries(which).read_bytes()
    return Response(body, media_type="application/geo+json", headers=_DAY)
