"""Accounts of people and tokens of services, devices and nodes; secrets are shown once, when made."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, Language, NotFound, format_us
from yunmeng.kernel.serve.body import read_json
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.replies import empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.trust import Account, AuditEvent, Token, account_deed, token_deed

PATH = "/api/accounts"
TOKENS_PATH = "/api/tokens"

_MOST_DAYS = 3650
_Body = TypeVar("_Body", bound=msgspec.Struct)
_SECRET = {"Cache-Control": "no-store"}


class _NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    roles: tuple[str, ...]
    divisions: tuple[str, ...] = ()
    clearance: int = 1
    language: Language = "zh-CN"
    display: Annotated[str, msgspec.Meta(max_length=200)] = ""


class _Changes(msgspec.Struct, forbid_unknown_fields=True):
    roles: tuple[str, ...] | None = None
    divisions: tuple[str, ...] | None = None
    clearance: int | None = None
    language: Language | None = None
    display: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    disabled: bool | None = None


class _NewToken(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: Literal["service", "device", "node"]
    roles: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    clearance: int = 1
    days: Annotated[int, msgspec.Meta(ge=1, le=_MOST_DAYS)] = 365


async def list_accounts(call: Call) -> Response:
    """Lists the accounts of the tenant that reach no further than the caller."""
    return json_reply([_account(account) for account in await _accounts(call)])


async def create_account(call: Call) -> Response:
    """Makes an account; the answer shows its one-time password, this once."""
    asked = await _body(call, _NewAccount)
    account, password = await call.services.accounts.invite(
        **msgspec.structs.asdict(asked), tenant=call.tenant, by=call.principal
    )
    await _record(call, account_deed(call.principal, "create", account))
    return json_reply({**_account(account), "password": password}, 201, _SECRET)


async def get_account(call: Call) -> Response:
    """Shows one account."""
    return json_reply(_account(await _named(call)))


async def update_account(call: Call) -> Response:
    """Changes roles, divisions, clearance, language or display name, or disables; open sessions follow."""
    changes = await _body(call, _Changes)
    name = (await _named(call)).name
    account = await call.services.accounts.update(name, **msgspec.structs.asdict(changes), by=call.principal)
    await _record(call, account_deed(call.principal, "update", account))
    return json_reply(_account(account))


async def remove_account(call: Call) -> Response:
    """Removes an account and ends its sessions."""
    account = await _named(call)
    await call.services.accounts.remove(account.name, by=call.principal)
    await _record(call, account_deed(call.principal, "remove", account))
    return empty_reply()


async def reset_password(call: Call) -> Response:
    """Gives a one-time password to somebody who lost theirs; it is shown this once."""
    account = await _named(call)
    password = await call.services.accounts.reset_password(account.name, by=call.principal)
    await _record(call, account_deed(call.principal, "reset", account))
    return json_reply({"name": account.name, "password": password}, 200, _SECRET)


async def list_tokens(call: Call) -> Response:
    """Lists the tokens of the tenant that reach no further than the caller, without their texts."""
    return json_reply([_token(token) for token in await _tokens(call)])


async def issue_token(call: Call) -> Response:
    """Makes a token for a service, a device or another node; the answer shows its text, this once."""
    asked = await _body(call, _NewToken)
    text, token = await call.services.accounts.issue_token(
        **msgspec.structs.asdict(asked), tenant=call.tenant, by=call.principal
    )
    await _record(call, token_deed(call.principal, "issue", token))
    return json_reply({**_token(token), "token": text}, 201, _SECRET)


async def revoke_token(call: Call) -> Response:
    """Ends a token; the processes of the node believe it for one more second at most."""
    id_ = call.request.path_params["id"]
    token = next((token for token in await _tokens(call) if token.id == id_), None)
    if token is None:
        raise NotFound("token.unknown", id=id_)
    await call.services.accounts.revoke_token(id_, by=call.principal)
    await _record(call, token_deed(call.principal, "revoke", token))
    return empty_reply()


async def _accounts(call: Call) -> list[Account]:
    if call.reach.prefixes == ():
        return []
    return await call.services.accounts.accounts(call.tenant, call.principal.divisions)


async def _tokens(call: Call) -> list[Token]:
    if call.reach.prefixes == ():
        return []
    return await call.services.accounts.tokens(call.tenant, call.principal.divisions)


async def _named(call: Call) -> Account:
    """Finds the account of the path; one out of the caller's sight is as if it were not."""
    name = call.request.path_params["name"]
    if call.reach.prefixes == ():
        raise NotFound("account.unknown", name=name)
    return await call.services.accounts.account(name, call.tenant, call.principal.divisions)


async def _body(call: Call, shape: type[_Body]) -> _Body:
    body = await read_json(call.request)
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as cause:
        raise BadInput("json.shape", reason=str(cause)) from cause


async def _record(call: Call, event: AuditEvent) -> None:
    await desk(call).trail.record(event)


def _account(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "display": account.display,
        "roles": account.roles,
        "divisions": account.divisions,
        "tenant": account.tenant,
        "clearance": account.clearance,
        "language": account.language,
        "mustChange": account.must_change,
        "disabled": account.disabled,
        "createdAt": format_us(account.created_at),
    }


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "kind": token.principal.kind,
        "roles": token.principal.roles,
        "divisions": token.principal.divisions,
        "tenant": token.principal.tenant,
        "clearance": token.principal.clearance,
        "createdAt": format_us(token.created_at),
        "createdBy": token.created_by,
        "expiresAt": format_us(token.expires_at),
    }
