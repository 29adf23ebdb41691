"""One request and how its answer is read, without saying whether anybody waits for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

import httpx
import msgspec

from yunmeng.client.errors import BrokerError
from yunmeng.kernel.base import BadInput, Unavailable

T_co = TypeVar("T_co", covariant=True)

_ROOT = "/ngsi-ld/v1"
_CONTEXT = "http://www.w3.org/ns/json-ld#context"
_BLANK = "about:blank"
_UNAUTHORIZED, _MULTI_STATUS = 401, 207


@dataclass(frozen=True, slots=True)
class Ask(Generic[T_co]):
    """A request below the root of the API; ``read`` turns a good answer into the result."""

    method: str
    path: str
    read: Callable[[httpx.Response], T_co]
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    body: object = None


@dataclass(frozen=True, slots=True)
class Home:
    """Which broker, and what every request to it carries."""

    url: str
    tenant: str = ""
    context: str = ""
    token: str = ""
    language: str = ""

    @property
    def root(self) -> str:
        """The address below which the API lies; the broker's own address is enough."""
        url = self.url.rstrip("/")
        return url if "/ngsi-ld/" in url else url + _ROOT

    @property
    def node(self) -> str:
        """The address of the server."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        head = {"Accept": "application/json"}
        if self.tenant:
            head["NGSILD-Tenant"] = self.tenant
        if self.token:
            head["Authorization"] = f"Bearer {self.token}"
        if self.language:
            head["Accept-Language"] = self.language
        return head

    def check(self) -> "Home":
        """Returns itself. Raises ``BadInput("client.url")`` when the address is none."""
        if not self.url.startswith(("http://", "https://")):
            raise BadInput("client.url", url=self.url)
        return self

    def request(self, ask: Ask[object]) -> dict[str, Any]:
        """Returns the arguments of httpx for a request."""
        headers: dict[str, str] = {}
        body, linked = (ask.body, False) if ask.body is None else _embedded(ask.body, self.context)
        if self.context and not linked:
            headers["Link"] = f'<{self.context}>; rel="{_CONTEXT}"; type="application/ld+json"'
        if body is not None:
            headers["Content-Type"] = "application/ld+json" if linked else "application/json"
        return {
            "method": ask.method,
            "url": self.root + ask.path,
            "params": dict(ask.parameters),
            "headers": headers,
            "content": None if body is None else msgspec.json.encode(body),
        }


def _embedded(body: object, context: str) -> tuple[object, bool]:
    """Tells whether a body brings contexts of its own; entities of its kind without one get ours (§6.3.5)."""
    if isinstance(body, dict):
        return cast("object", body), "@context" in body
    items = cast("list[Any]", body)
    if not any(isinstance(item, dict) and "@context" in item for item in items):
        return items, False
    return [{"@context": context, **item} if context else item for item in items], True


def unanswered(url: str, cause: Exception) -> Unavailable:
    """Returns the error of a broker that cannot be reached."""
    return Unavailable("client.no-answer", url=url, reason=str(cause) or type(cause).__name__)


def checked(answer: httpx.Response) -> httpx.Response:
    """Returns a good answer. Raises BrokerError for any other."""
    if answer.is_success:
        return answer
    raise _error(answer)


def _error(answer: httpx.Response) -> BrokerError:
    told = _problem(answer)
    facts = {
        "status": answer.status_code,
        "uri": str(told.get("type") or _BLANK),
        "title": str(told.get("title") or answer.reason_phrase),
        "detail": str(told.get("detail") or ""),
        "remedy": str(told.get("remedy") or ""),
        "name": str(told.get("key") or told.get("type") or _BLANK),
        "url": str(answer.request.url),
    }
    if answer.status_code == _UNAUTHORIZED:
        return BrokerError("client.unauthenticated", **facts)
    return BrokerError("client.refused", **facts)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def decoded(answer: httpx.Response) -> Any:
    """Returns the JSON of an answer. Raises ``Unavailable("client.not-json")`` when it is something else."""
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError as cause:
        raise Unavailable("client.not-json", url=str(answer.request.url)) from cause


def nothing(answer: httpx.Response) -> None:
    """Reads no result. Raises BrokerError when a part was not carried out (207, §5.2.18)."""
    if answer.status_code != _MULTI_STATUS:
        return
    left = decoded(answer).get("notUpdated", [])
    reasons = "; ".join(f"{row.get('attributeName', '?')}: {_reason(row.get('reason'))}" for row in left)
    raise BrokerError(
        "client.partly", status=answer.status_code, uri=_BLANK, title="", detail=reasons, remedy=""
    )


def _reason(reason: object) -> str:
    if not isinstance(reason, dict):
        return str(reason)
    told = cast("dict[str, Any]", reason)
    return str(told.get("detail") or told.get("title") or told)
