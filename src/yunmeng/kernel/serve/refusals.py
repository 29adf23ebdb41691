"""The refusals that only an HTTP edge knows, and how any error becomes a problem document (RFC 9457)."""

# ruff: noqa: N818 (callers read better as `raise NotAcceptable(...)`)

import json
from http import HTTPStatus
from typing import ClassVar

import msgspec
from starlette.exceptions import HTTPException

from yunmeng.kernel.base import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    YunmengError,
    problem,
)
from yunmeng.kernel.model import Outcome
from yunmeng.kernel.serve.replies import JSON, PROBLEM, Reply, encode_json
from yunmeng.kernel.serve.routes import Language

_ETSI = "https://uri.etsi.org/ngsi-ld/errors/"

# ETSI GS CIM 009 table 5.5.2-1, by the key where a key is special, else by the status
_ETSI_BY_KEY = {
    "json.malformed": "InvalidRequest",
    "json.deep": "InvalidRequest",
    "json.empty": "InvalidRequest",
    "query.options": "InvalidRequest",
    "query.unknown": "InvalidRequest",
    "context.none": "InvalidRequest",
    "context.unavailable": "LdContextNotAvailable",
    "context.private": "LdContextNotAvailable",
    "query.too-many": "TooManyResults",
    "tenant.unknown": "NonexistentTenant",
    "registration.conflict": "Conflict",
    "registration.entity-conflict": "Conflict",
    "source.unsupported": "Conflict",
}
_ETSI_BY_STATUS = {
    400: "BadRequestData",
    404: "ResourceNotFound",
    405: "OperationNotSupported",
    409: "AlreadyExists",
    413: "InvalidRequest",
    415: "InvalidRequest",
    406: "InvalidRequest",
    422: "OperationNotSupported",
    500: "InternalError",
    503: "InternalError",
}


class MethodNotAllowed(YunmengError):
    """The address exists, the method does not."""

    status: ClassVar[int] = 405


class NotAcceptable(YunmengError):
    """None of the media types that the caller accepts can be made."""

    status: ClassVar[int] = 406


class UnsupportedMedia(YunmengError):
    """The body is of a media type that is not read here."""

    status: ClassVar[int] = 415


class LengthRequired(YunmengError):
    """The request does not say how long its body is."""

    status: ClassVar[int] = 411


class TooManyRequests(YunmengError):
    """The caller must wait."""

    status: ClassVar[int] = 429


class TooMany(YunmengError):
    """The query asks for more at once than the node gives (ETSI ``TooManyResults``)."""

    status: ClassVar[int] = 403


_BY_STATUS: dict[int, type[YunmengError]] = {
    400: BadInput,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMedia,
    422: Unsupported,
    429: TooManyRequests,
    503: Unavailable,
}


def refusal(outcome: Outcome) -> YunmengError:
    """Turns a refused outcome of the keeper back into the error that it carries."""
    return _BY_STATUS.get(outcome.status, BadInput)(outcome.error, **outcome.facts)


def as_error(failure: Exception) -> YunmengError | None:
    """Returns the error that a failure of reading or routing stands for, None when it is a defect."""
    if isinstance(failure, YunmengError):
        return failure
    if isinstance(failure, RecursionError):
        return BadInput("json.deep")
    if isinstance(failure, msgspec.ValidationError):
        return BadInput("json.shape", reason=str(failure))
    if isinstance(failure, (msgspec.DecodeError, json.JSONDecodeError, UnicodeError)):
        return BadInput("json.malformed", reason=str(failure))
    if isinstance(failure, HTTPException):
        kind = _BY_STATUS.get(failure.status_code, BadInput)
        return kind(f"http.{failure.status_code}" if failure.status_code in (404, 405) else "http.refused")
    return None


def problem_document(error: YunmengError, language: Language, *, etsi: bool = False) -> dict[str, object]:
    """Writes the error down in the caller's language; ``etsi`` names its NGSI-LD type."""
    words = problem(error, language)
    kind = words.type
    if etsi:
        name = _ETSI_BY_KEY.get(error.key) or _ETSI_BY_STATUS.get(error.status)
        kind = _ETSI + name if name else kind
    document: dict[str, object] = {
        "type": kind,
        "title": words.title,
        "status": error.status,
        "detail": words.detail,
        "key": error.key,
    }
    if words.remedy:
        document["remedy"] = words.remedy
    return document


def problem_reply(error: YunmengError, language: Language, *, etsi: bool = False) -> Reply:
    """Answers with the problem document; NGSI-LD wants it as plain JSON (§6.3.2)."""
    headers = {"Content-Language": language}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if "seconds" in error.facts or isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.facts.get("seconds", 2))
    if isinstance(error, MethodNotAllowed) and "allow" in error.facts:
        headers["Allow"] = str(error.facts["allow"])
    if etsi and isinstance(error, LengthRequired):
        # §6.3.4 wants the status alone
        return Reply(b"", error.status)
    body = encode_json(problem_document(error, language, etsi=etsi))
    return Reply(body, error.status or HTTPStatus.INTERNAL_SERVER_ERROR, JSON if etsi else PROBLEM, headers)
