"""``yunmeng accounts``: people and tokens of a node; whoever owns its folder owns the node."""

from typing import Literal, cast

import click
import msgspec
from rich_click import RichGroup

from yunmeng.kernel.base import NotFound, format_us
from yunmeng.kernel.trust import (
    SYSTEM,
    Account,
    Token,
    account_deed,
    token_deed,
)
from yunmeng.node.cli.data import record, with_node
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import as_json, out, show, show_json
from yunmeng.node.parts import Parts

_divisions = click.option(
    "--division", "divisions", multiple=True, help="Reaches this division 区划 (GB/T 2260); repeatable."
)
_tenant = click.option("--tenant", default="", help="Tenant 租户.")
_clearance = click.option(
    "--clearance",
    default=1,
    show_default=True,
    type=click.IntRange(1, 4),
    help="Highest grade 分级 that may be read.",
)


@click.group(cls=RichGroup)
def accounts() -> None:
    """Accounts 账户 of a running node: people who sign in, and tokens of services, devices and nodes."""


@accounts.command("list")
@node_options
@as_json
def list_accounts(options: NodeOptions, *, json_: bool) -> None:
    """Lists the accounts of every tenant."""
    found = with_node(options, lambda parts: parts.accounts().accounts())
    rows = [
        {**msgspec.to_builtins(account), "created_at": format_us(account.created_at)} for account in found
    ]
    columns = (
        ("name", "Name 账户"),
        ("display", "Display 姓名"),
        ("roles", "Roles 角色"),
        ("divisions", "Divisions 区划"),
        ("tenant", "Tenant 租户"),
        ("clearance", "Grade 分级"),
        ("must_change", "New 未启用"),
        ("disabled", "Disabled 停用"),
    )
    show(rows, columns, json_=json_, styles={"name": "cyan"})


@accounts.command("create")
@node_options
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, help="Role 角色, e.g. operator; repeatable.")
@_divisions
@_tenant
@_clearance
@click.option("--display", default="", help="Name as shown 姓名.")
@click.option(
    "--language",
    default="zh-CN",
    show_default=True,
    type=click.Choice(["zh-CN", "en"]),
    help="Language 语言.",
)
@as_json
def create_account(
    options: NodeOptions,
    *,
    name: str,
    roles: tuple[str, ...],
    divisions: tuple[str, ...],
    tenant: str,
    clearance: int,
    display: str,
    language: str,
    json_: bool,
) -> None:
    """Makes an account and prints its one-time password, this once."""

    async def work(parts: Parts) -> tuple[Account, str]:
        account, password = await parts.accounts().invite(
            name,
            by=SYSTEM,
            roles=roles,
            divisions=divisions,
            tenant=tenant,
            clearance=clearance,
            language=cast("Literal['zh-CN', 'en']", language),
            display=display,
        )
        await record(parts, account_deed(SYSTEM, "create", account))
        return account, password

    account, password = with_node(options, work)
    _show_password(account.name, password, json_=json_)


@accounts.command("reset")
@node_options
@click.argument("name")
@as_json
def reset_password(options: NodeOptions, *, name: str, json_: bool) -> None:
    """Prints a one-time password for somebody who lost theirs, this once; their sessions end."""

    async def work(parts: Parts) -> tuple[Account, str]:
        people = parts.accounts()
        password = await people.reset_password(name, by=SYSTEM)
        account = await people.account(name)
        await record(parts, account_deed(SYSTEM, "reset", account))
        return account, password

    account, password = with_node(options, work)
    _show_password(account.name, password, json_=json_)


@accounts.command("remove")
@node_options
@click.argument("name")
def remove_account(options: NodeOptions, *, name: str) -> None:
    """Removes an account and ends its sessions."""

    async def work(parts: Parts) -> None:
        people = parts.accounts()
        account = await people.account(name)
        await people.remove(name, by=SYSTEM)
        await record(parts, account_deed(SYSTEM, "remove", account))

    with_node(options, work)


@accounts.group("token", cls=RichGroup)
def tokens() -> None:
    """Tokens 令牌 of services, devices and other nodes."""


@tokens.command("list")
@node_options
@as_json
def list_tokens(options: NodeOptions, *, json_: bool) -> None:
    """Lists the tokens of every tenant, without their texts."""
    found = with_node(options, lambda parts: parts.accounts().tokens())
    columns = (
        ("id", "Id"),
        ("name", "Name 名称"),
        ("kind", "Kind 类别"),
        ("roles", "Roles 角色"),
        ("divisions", "Divisions 区划"),
        ("tenant", "Tenant 租户"),
        ("expires_at", "Until 到期"),
        ("created_by", "By 签发"),
    )
    show([_token_row(token) for token in found], columns, json_=json_, styles={"id": "cyan"})


@tokens.command("create")
@node_options
@click.argument("name")
@click.option(
    "--kind",
    default="service",
    show_default=True,
    type=click.Choice(["service", "device", "node"]),
    help="Who carries it 类别.",
)
@click.option("--role", "roles", multiple=True, help="Role 角色 in place of its kind's; repeatable.")
@_divisions
@_tenant
@_clearance
@click.option(
    "--days", default=365, show_default=True, type=click.IntRange(1, 3650), help="Works for this long 天数."
)
@as_json
def create_token(
    options: NodeOptions,
    *,
    name: str,
    kind: str,
    roles: tuple[str, ...],
    divisions: tuple[str, ...],
    tenant: str,
    clearance: int,
    days: int,
    json_: bool,
) -> None:
    """Makes a token and prints its text, this once; without a role it has the role of its kind."""

    async def work(parts: Parts) -> tuple[str, Token]:
        text, token = await parts.accounts().issue_token(
            name,
            cast("Literal['service', 'device', 'node']", kind),
            by=SYSTEM,
            roles=roles,
            divisions=divisions,
            tenant=tenant,
            clearance=clearance,
            days=days,
        )
        await record(parts, token_deed(SYSTEM, "issue", token))
        return text, token

    text, token = with_node(options, work)
    if json_:
        show_json({**_token_row(token), "token": text})
    else:
        out.print(f"[cyan]{token.id}[/]  [bold yellow]{text}[/]")


@tokens.command("revoke")
@node_options
@click.argument("token_id")
def revoke_token(options: NodeOptions, *, token_id: str) -> None:
    """Ends a token, within a second."""

    async def work(parts: Parts) -> None:
        people = parts.accounts()
        token = next((token for token in await people.tokens() if token.id == token_id), None)
        if token is None:
            raise NotFound("token.unknown", id=token_id)
        await people.revoke_token(token_id, by=SYSTEM)
        await record(parts, token_deed(SYSTEM, "revoke", token))

    with_node(options, work)


def _show_password(name: str, password: str, *, json_: bool) -> None:
    if json_:
        show_json({"name": name, "password": password})
        return
    out.print(f"[bold]{name}[/] / [bold yellow]{password}[/]")
    out.print("[dim]一次性口令，首次登录须修改[/]")
    out.print("[dim]one-time password, to be changed at the first sign-in[/]")


def _token_row(token: Token) -> dict[str, object]:
    may = token.principal
    return {
        "id": token.id,
        "name": token.name,
        "kind": may.kind,
        "roles": may.roles,
        "divisions": may.divisions,
        "tenant": may.tenant,
        "clearance": may.clearance,
        "created_at": format_us(token.created_at),
        "created_by": token.created_by,
        "expires_at": format_us(token.expires_at),
    }


COMMANDS = (accounts,)
