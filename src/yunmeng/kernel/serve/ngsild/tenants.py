"""Tenants: a name is sound or refused, and one that holds nothing does not exist (§4.14, §6.3.14)."""

import re

from yunmeng.kernel.base import BadInput, NotFound, YunmengError
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.trust import Reach

TENANT_HEADER = b"ngsild-tenant"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_tenant(name: str) -> str:
    """Returns the name unchanged; empty is the default tenant.

    Raises:
        BadInput: ``tenant.bad``.
    """
    if name and not _NAME.fullmatch(name):
        raise BadInput("tenant.bad", tenant=name)
    return name


async def absent(call: Call, id_: str) -> YunmengError:
    """Returns the error for an entity that is not there: of the tenant when that holds nothing at all."""
    if call.tenant and not await tenant_exists(call):
        return NotFound("tenant.unknown", tenant=call.tenant)
    return NotFound("entity.absent", id=id_)


async def tenant_exists(call: Call) -> bool:
    """Tells whether the tenant of the call holds any entity or subscription; a snapshot is there anyway."""
    if not _NAME.fullmatch(call.tenant):
        return True
    if await call.services.state.types(Reach(call.tenant)):
        return True
    return bool(await call.services.state.records("subscription", call.tenant))
