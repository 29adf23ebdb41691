"""Which broker a command talks to: the running node of ``--data``, or any at ``--url``."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

import click

from yunmeng.kernel.trust import SYSTEM, Token, token_deed
from yunmeng.node.cli.data import record, with_node
from yunmeng.node.cli.options import NodeOptions
from yunmeng.node.cli.output import err
from yunmeng.node.parts import Parts

if TYPE_CHECKING:
    from yunmeng.client import Client

_P = ParamSpec("_P")
_R = TypeVar("_R")
_OWN_NAME = "command-line"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where entities are, and as whom one comes there."""

    url: str = ""
    token: str = ""
    tenant: str = ""
    context: str = ""

    @contextmanager
    def connect(self, options: NodeOptions) -> "Generator[Client]":
        """Opens a client. Whoever owns a node's folder owns the node, so no sign-in is needed for it.

        Raises:
            Unavailable: ``node.stopped`` when no node runs in the folder.
        """
        from yunmeng.client import BatchError, Client

        with (
            self.place(options) as at,
            Client(
                at.url, tenant=at.tenant, context=at.context, token=at.token, language=options.language
            ) as client,
        ):
            try:
                yield client
            except BatchError as error:
                for one in error.refused:
                    err.print(f"{one.id}: {one.detail or one.title}", markup=False)
                raise

    @contextmanager
    def place(self, options: NodeOptions) -> "Generator[Broker]":
        """Yields where it is and with which token: this one, or the node of the options."""
        if self.url:
            yield self
            return
        url, text, token = with_node(options, self._own_pass)
        try:
            own = self.context or f"{url}/contexts/yunmeng.jsonld"
            yield Broker(url, self.token or text, self.tenant, own)
        finally:
            with_node(options, lambda parts: _end(parts, token))

    async def _own_pass(self, parts: Parts) -> tuple[str, str, Token]:
        """Issues a token for this command alone; it and what it does are in the audit log."""
        text, token = await parts.accounts().issue_token(
            _OWN_NAME,
            "service",
            by=SYSTEM,
            roles=("administrator",),
            tenant=self.tenant,
            clearance=SYSTEM.clearance,
            days=1,
        )
        await record(parts, token_deed(SYSTEM, "issue", token))
        return parts.folder.endpoints().http_url, text, token


async def _end(parts: Parts, token: Token) -> None:
    await parts.accounts().revoke_token(token.id, by=SYSTEM)
    await record(parts, token_deed(SYSTEM, "revoke", token))


def broker_options(
    command: Callable[Concatenate[NodeOptions, Broker, _P], _R],
) -> Callable[Concatenate[NodeOptions, _P], _R]:
    """Adds ``--url``, ``--token``, ``--tenant`` and ``--context`` and hands them over as one."""

    @click.option("--url", default="", help="Any NGSI-LD broker, in place of the node of --data.")
    @click.option("--token", default="", envvar="YUNMENG_TOKEN", help="Token 令牌 for it [YUNMENG_TOKEN].")
    @click.option("--tenant", default="", help="Tenant 租户.")
    @click.option("--context", default="", help="URL of the JSON-LD context of the names.")
    @wraps(command)
    def wrapped(
        options: NodeOptions,
        url: str,
        token: str,
        tenant: str,
        context: str,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        return command(options, Broker(url, token, tenant, context), *args, **kwargs)

    return cast("Callable[Concatenate[NodeOptions, _P], _R]", wrapped)  # click gives them by name
