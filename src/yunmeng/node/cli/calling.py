"""Calls to the node's own HTTP interface: the running node of ``--data``, or any at ``--url``."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import click

from yunmeng.kernel.base import YunmengError
from yunmeng.node.cli.options import NodeOptions
from yunmeng.node.cli.reaching import Broker

if TYPE_CHECKING:
    import httpx

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PATIENCE_S = 120.0


class NodeError(YunmengError):
    """A node refused a request; its own words say why."""


class Api:
    """The HTTP interface of one node, signed in."""

    def __init__(self, client: "httpx.Client") -> None:
        self._client = client

    def get(self, path: str, **parameters: object) -> Any:
        """Reads; parameters that are empty are left out."""
        return self._ask("GET", path, params=_said(parameters)).json()

    def text(self, path: str, **parameters: object) -> str:
        """Reads what is no JSON."""
        return self._ask("GET", path, params=_said(parameters)).text

    def send(self, method: str, path: str, body: object = None, **parameters: object) -> Any:
        """Has something changed; returns the answer."""
        return self._ask(method, path, json=body, params=_said(parameters)).json()

    def upload(self, path: str, data: bytes, media: str, **parameters: object) -> Any:
        """Hands a file in; returns the answer."""
        head = {"Content-Type": media}
        return self._ask("POST", path, content=data, headers=head, params=_said(parameters)).json()

    def _ask(self, method: str, path: str, **more: Any) -> "httpx.Response":
        import httpx

        from yunmeng.kernel.base import Unavailable

        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as cause:
            url = str(self._client.base_url)
            raise Unavailable("cli.no-answer", url=url, reason=str(cause) or type(cause).__name__) from cause
        if answer.is_success:
            return answer
        raise _refused(answer)


def _said(parameters: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value not in (None, "", (), False)}


def _refused(answer: "httpx.Response") -> NodeError:
    try:
        told = cast("dict[str, Any]", answer.json())
    except ValueError:
        told = {}
    return NodeError(
        "cli.refused",
        status=answer.status_code,
        name=str(told.get("key", "-")),
        title=str(told.get("title") or answer.reason_phrase),
        detail=str(told.get("detail", "")),
        remedy=str(told.get("remedy", "")),
    )


@dataclass(frozen=True, slots=True)
class Node:
    """Which node a command calls, and as whom."""

    options: NodeOptions
    url: str = ""
    token: str = ""

    @contextmanager
    def connect(self) -> "Generator[Api]":
        """Opens the interface. Whoever owns a node's folder owns the node, so no sign-in is needed for it.

        Raises:
            Unavailable: ``node.stopped`` when no node runs in the folder.
        """
        import httpx

        with Broker(self.url, self.token).place(self.options) as at:
            head = {"Accept-Language": self.options.language}
            head |= {"Authorization": f"Bearer {at.token}"} if at.token else {}
            with httpx.Client(base_url=at.url, headers=head, timeout=_PATIENCE_S) as client:
                yield Api(client)


def call_options(command: Callable[Concatenate[Node, _P], _R]) -> Callable[Concatenate[NodeOptions, _P], _R]:
    """Adds ``--url`` and ``--token`` and hands over the node that they and the node's options name."""

    @click.option("--url", default="", help="Another node, in place of that of --data.")
    @click.option("--token", default="", envvar="YUNMENG_TOKEN", help="Token 令牌 for it [YUNMENG_TOKEN].")
    @wraps(command)
    def wrapped(options: NodeOptions, url: str, token: str, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return command(Node(options, url, token), *args, **kwargs)

    return cast("Callable[Concatenate[NodeOptions, _P], _R]", wrapped)  # click gives them by name
