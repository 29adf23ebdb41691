"""A client of ClickHouse's HTTP interface: statements out, bytes back, the server's errors as ours."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from yunmeng.kernel.base import Broken, Unavailable, YunmengError
from yunmeng.kernel.store.history.queries import Statement

_CODE = re.compile(r"Code:\s*(\d+)")
_BUSY = {159, 202, 209, 210, 236, 241, 252, 319, 373, 439}
_FULL = {243}
_STRANGER = {192, 193, 194, 516}


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
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password},
            timeout=httpx.Timeout(timeout_s, connect=5.0),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=5.0),
            trust_env=False,
            # certificates cost a tenth of a second to load, and plain HTTP has none to check
            verify=parts.scheme == "https",
        )

    async def ask(
        self, statement: Statement, settings: Mapping[str, str] | None = None, database: str = ""
    ) -> bytes:
        """Runs a statement and returns its rows as JSON arrays, one a line."""
        form = {"query": (None, statement.sql.encode())}
        form |= {f"param_{name}": (None, value.encode()) for name, value in statement.parameters.items()}
        params = {
            **(settings or {}),
            "database": database or self.database,
            "default_format": "JSONCompactEachRow",
            "output_format_json_quote_64bit_integers": "0",
            "output_format_json_quote_denormals": "0",
        }
        return (await self._send(params, files=form)).content

    async def insert(self, head: str, data: bytes, settings: Mapping[str, str]) -> None:
        """Runs ``head`` (an INSERT with its FORMAT) on ``data``."""
        await self._send({**settings, "database": self.database, "query": head}, content=data)

    async def _send(
        self,
        params: Mapping[str, str],
        *,
        content: bytes | None = None,
        files: Mapping[str, tuple[None, bytes]] | None = None,
    ) -> httpx.Response:
        try:
            response = await self._client.post("/", params=dict(params), content=content, files=files)
        except httpx.HTTPError as cause:
            raise Unavailable("history.down", url=self.url, reason=type(cause).__name__) from cause
        if response.status_code != 200:
            raise _refusal(self.url, response)
        return response

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def _refusal(url: str, response: httpx.Response) -> YunmengError:
    reason = response.text.strip()
    found = response.headers.get("X-ClickHouse-Exception-Code") or (_CODE.search(reason) or [0, "0"])[1]
    code = int(found)
    if code in _STRANGER:
        return Unavailable("history.stranger", url=url)
    if code in _FULL:
        return Unavailable("history.full", url=url, reason=reason)
    if code in _BUSY or response.status_code in (502, 503, 504):
        return Unavailable("history.busy", url=url, reason=reason)
    return Broken("history.refused", url=url, code=code, reason=reason)
