"""A client of ClickHouse's HTTP interface: statements out, bytes back, the server's errors as ours."""

import asyncio
import re
from collections.abc import Mapping
from secrets import token_hex
from urllib.parse import urlencode, urlsplit

from yunmeng.kernel.base import Broken, Unavailable, YunmengError
from yunmeng.kernel.base.http import HttpAnswer, HttpClient, LeftIdle
from yunmeng.kernel.store.history.queries import Statement

_CODE = re.compile(r"Code:\s*(\d+)")
_BUSY = {159, 202, 209, 210, 236, 241, 252, 319, 373, 439}
_FULL = {243}
_STRANGER = {192, 193, 194, 516}
_CONNECTIONS = 16
_IDLE_S = 5.0
_LARGEST = 1 << 30


class Wire:
    """Requests to one server; safe for many tasks at once.

    Raises:
        Unavailable: ``history.down``, ``history.busy``, ``history.full`` or ``history.stranger``.
        Broken: ``history.refused`` for every other answer that is an error.
    """

    def __init__(self, url: str, user: str, password: str, database: str, timeout_s: float = 60.0) -> None:
        parts = urlsplit(url)
        self.url = (
            f"{parts.scheme}://{parts.hostname}:{parts.port or (8443 if parts.scheme == 'https' else 8123)}"
        )
        self.database = database
        self._headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        self._timeout_s = timeout_s
        self._client = HttpClient(_IDLE_S)
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._closed = False

    async def ask(
        self, statement: Statement, settings: Mapping[str, str] | None = None, database: str = ""
    ) -> bytes:
        """Runs a statement and returns its rows as JSON arrays, one a line."""
        params = {
            **(settings or {}),
            "database": database or self.database,
            "default_format": "JSONCompactEachRow",
            "output_format_json_quote_64bit_integers": "0",
            "output_format_json_quote_denormals": "0",
        }
        kind, form = _form(statement)
        return (await self._send(params, form, {"Content-Type": kind})).body

    async def insert(self, head: str, data: bytes, settings: Mapping[str, str]) -> None:
        """Runs ``head`` (an INSERT with its FORMAT) on ``data``."""
        await self._send({**settings, "database": self.database, "query": head}, data, {})

    async def _send(
        self, params: Mapping[str, str], content: bytes, headers: Mapping[str, str]
    ) -> HttpAnswer:
        if self._closed:
            raise Unavailable("history.down", url=self.url, reason="closed")
        address, headers = f"{self.url}/?{urlencode(params)}", {**self._headers, **headers}
        try:
            async with self._places, asyncio.timeout(self._timeout_s):
                answer = await self._asked(address, content, headers)
        except (OSError, TimeoutError) as cause:
            raise Unavailable("history.down", url=self.url, reason=type(cause).__name__) from cause
        if answer.status != 200:
            raise _refusal(self.url, answer)
        return answer

    async def _asked(self, address: str, content: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        while True:
            try:
                return await self._client.ask("POST", address, headers, content, _LARGEST)
            except LeftIdle:
                # what is asked twice changes nothing: a read, a block with a token, a deletion
                continue

    async def close(self) -> None:
        """Closes the connections; nothing is asked any more."""
        self._closed = True
        self._client.close()


def _form(statement: Statement) -> tuple[str, bytes]:
    """Returns a statement with its parameters as a form, which no length bounds, and its media type."""
    boundary = token_hex(16)
    fields = {
        "query": statement.sql,
        **{f"param_{name}": value for name, value in statement.parameters.items()},
    }
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    text = "".join(parts) + f"--{boundary}--\r\n"
    return f"multipart/form-data; boundary={boundary}", text.encode()


def _refusal(url: str, answer: HttpAnswer) -> YunmengError:
    reason = answer.body.decode("utf-8", "replace").strip()
    found = answer.headers.get("x-clickhouse-exception-code") or (_CODE.search(reason) or [0, "0"])[1]
    code = int(found)
    if code in _STRANGER:
        return Unavailable("history.stranger", url=url)
    if code in _FULL:
        return Unavailable("history.full", url=url, reason=reason)
    if code in _BUSY or answer.status in (502, 503, 504):
        return Unavailable("history.busy", url=url, reason=reason)
    return Broken("history.refused", url=url, code=code, reason=reason)
