"""What travels beside the payload: subjects and the principal header."""

from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.trust import Principal

PRINCIPAL_HEADER = "Yunmeng-Principal"

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_DEFAULT = "_"
_REST = ">"
_NOBODY = Principal("anonymous", kind="anonymous")


@lru_cache(maxsize=4096)
def encode_token(text: str) -> str:
    """Writes any text as one subject token: empty is ``_``, other signs are ``=XX`` (UTF-8)."""
    if text == "":
        return _DEFAULT
    if text == _DEFAULT:
        return "=5F"
    return "".join(c if c in _PLAIN else "".join(f"={b:02X}" for b in c.encode()) for c in text)


@lru_cache(maxsize=4096)
def decode_token(token: str) -> str:
    """Reads :func:`encode_token` back; ``BadInput("bus.bad-subject")`` for anything else."""
    if token == _DEFAULT:
        return ""
    try:
        text = unquote_to_bytes(token.replace("=", "%")).decode()
    except UnicodeDecodeError:
        raise BadInput("bus.bad-subject", subject=token) from None
    if encode_token(text) != token:
        raise BadInput("bus.bad-subject", subject=token)
    return text


def obs_subject(tenant: str, gateway: str) -> str:
    """Names the observations of one tenant through one gateway."""
    return f"obs.{encode_token(tenant)}.{encode_token(gateway)}"


def arriving_subject(tenant: str) -> str:
    """Names the observations of one tenant through any gateway, as they arrive."""
    return f"obs.{encode_token(tenant)}.>"


def entity_changes_subject(tenant: str) -> str:
    """Names the committed entity changes of one tenant."""
    return f"chg.entity.{encode_token(tenant)}"


def observed_subject(tenant: str) -> str:
    """Names the committed observations of one tenant."""
    return f"chg.observed.{encode_token(tenant)}"


def relayed_subject(tenant: str) -> str:
    """Names what sources have notified one tenant of."""
    return f"chg.relayed.{encode_token(tenant)}"


def record_subject(kind: str) -> str:
    """Names the committed changes of the node's own records of one kind."""
    return f"chg.record.{encode_token(kind)}"


def audit_subject(kind: str) -> str:
    """Names the audit events of one kind."""
    return f"aud.{encode_token(kind)}"


def alert_subject(tenant: str, kind: str) -> str:
    """Names the alerts of one kind of one tenant."""
    return f"alr.{encode_token(tenant)}.{encode_token(kind)}"


def command_subject(tenant: str, target: str) -> str:
    """Names the commands for one target (a gateway, a device) of one tenant."""
    return f"cmd.{encode_token(tenant)}.{encode_token(target)}"


def sense_subject(what: str, gateway: str) -> str:
    """Names the requests (``command``, ``frame``) that one running gateway answers."""
    return f"sense.{what}.{encode_token(gateway)}"


def subject_tokens(subject: str) -> tuple[str, ...]:
    """Splits a subject and decodes what follows its first token: ``("obs", tenant, gateway)``."""
    first, *rest = subject.split(".")
    return (first, *(decode_token(token) for token in rest))


@lru_cache(maxsize=65536)
def subject_matches(pattern: str, subject: str) -> bool:
    """Tells whether ``subject`` falls under ``pattern`` (``*`` is one token, a last ``>`` one or more)."""
    wanted, given = pattern.split("."), subject.split(".")
    for place, token in enumerate(wanted):
        if token == _REST:
            return len(given) > place
        if place >= len(given) or token not in ("*", given[place]):
            return False
    return len(wanted) == len(given)


@lru_cache(maxsize=4096)
def encode_principal(principal: Principal) -> str:
    """Writes a principal as one header line."""
    return msgspec.json.encode(principal).decode()


@lru_cache(maxsize=4096)
def decode_principal(header: str) -> Principal:
    """Reads the header back; nobody when empty, ``BadInput("bus.bad-principal")`` when damaged."""
    if not header:
        return _NOBODY
    try:
        return msgspec.json.decode(header, type=Principal)
    except msgspec.DecodeError as error:
        raise BadInput("bus.bad-principal", header=header[:80]) from error
