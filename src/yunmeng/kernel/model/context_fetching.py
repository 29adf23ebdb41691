"""Context documents of other servers: fetched with limits, and not from this machine's own networks."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, ClassVar

from yunmeng.kernel.base import BadInput, Unavailable

if TYPE_CHECKING:
    from httpx import URL, AsyncClient, Response

_MOST_BYTES = 1 << 20
_MOST_HOPS = 5
_ACCEPT = "application/ld+json, application/json;q=0.9, */*;q=0.1"
_NAT64 = 0x64FF9B << 96


class ContextUnavailable(Unavailable):
    """A context that cannot be had from where it lies (LdContextNotAvailable, §6.3.2)."""

    status: ClassVar[int] = 504


class ContextFetcher:
    """Fetches documents over HTTP: at most 1 MiB, five redirections and ``timeout_s`` for each step.

    Unless ``private``, the address must be public, at every redirection: anybody who may send a request
    names the URL, and must not make the node ask the machines beside it.
    """

    def __init__(self, timeout_s: float, *, private: bool) -> None:
        self._timeout_s = timeout_s
        self._private = private
        self._client: AsyncClient | None = None

    async def fetch(self, url: str) -> bytes:
        """Returns the document at a URL.

        Raises:
            BadInput: ``context.invalid`` when it is no http URL.
            ContextUnavailable: ``context.unavailable``, ``context.private``.
        """
        # the first fetch pays for the client's import, not the start of every process
        import httpx

        if not url.startswith(("http://", "https://")):
            raise BadInput("context.invalid", reason=f"{url[:200]} is no http URL")
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout_s)
        try:
            return await self._follow(self._client, httpx.URL(url), url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as cause:
            raise _unavailable(url, str(cause) or type(cause).__name__) from cause

    async def close(self) -> None:
        """Closes connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _follow(self, client: "AsyncClient", at: "URL", asked: str) -> bytes:
        for _ in range(_MOST_HOPS + 1):
            request = await self._request(at, asked)
            async with client.stream("GET", **request) as answer:
                if not answer.has_redirect_location:
                    answer.raise_for_status()
                    return await _body(answer, asked)
                at = at.join(answer.headers["location"])
        raise _unavailable(asked, f"over {_MOST_HOPS} redirections")

    async def _request(self, at: "URL", asked: str) -> dict[str, Any]:
        headers = {"accept": _ACCEPT}
        if at.scheme not in ("http", "https"):
            raise _unavailable(asked, f"it leads to {at.scheme}:")
        if self._private:
            return {"url": at, "headers": headers}
        address = await _public_address(at, asked)
        # what was looked up and checked is what is connected to; a second look-up may say another address
        return {
            "url": at.copy_with(host=address),
            "headers": {**headers, "host": at.netloc.decode("ascii")},
            "extensions": {"sni_hostname": at.host},
        }


async def _public_address(at: "URL", asked: str) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(row[4][0]).partition("%")[0]) for row in found]
    for address in addresses:
        if not _is_public(address):
            raise ContextUnavailable("context.private", url=asked, address=str(address))
    return str(addresses[0])


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        # an IPv4 address in the clothes of IPv6: mapped, 6to4, NAT64
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and int(address) >> 32 == _NAT64 >> 32:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


async def _body(answer: "Response", asked: str) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise _unavailable(asked, "larger than 1 MiB")
    return bytes(body)


def _unavailable(url: str, reason: str) -> ContextUnavailable:
    return ContextUnavailable("context.unavailable", url=url, reason=reason)
