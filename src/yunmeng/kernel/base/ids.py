"""Identifiers: URNs made and checked (RFC 8141, RFC 3986; ETSI GS CIM 009 §4.5.1 asks for a URI)."""

import re
from urllib.parse import quote

from yunmeng.kernel.base.errors import BadInput

LONGEST_ID = 1024

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
# RFC 3986 §2: unreserved, reserved and percent-encoded; so no control characters, spaces or double quotes
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
# RFC 8141 §2: NID of 2 to 32, NSS of pchar and "/" that begins with a pchar, then r-, q- and f-components
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_URN = re.compile(
    rf"[uU][rR][nN]:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,30}}[A-Za-z0-9]):{_PCHAR}(?:{_PCHAR}|/)*"
    rf"(?:\?[+=]{_PCHAR}(?:{_PCHAR}|[/?])*)*(?:#(?:{_PCHAR}|[/?])*)?"
)


def make_urn(type: str, *parts: str) -> str:
    """Builds ``urn:ngsi-ld:<type>:<parts joined by colons>``; different parts never give the same URN.

    Characters outside RFC 8141, and a colon inside a part, are percent-encoded as UTF-8.

    Raises:
        BadInput: ``id.bad`` when the type is no name, or a part is missing or empty.
    """
    if not _TYPE.fullmatch(type) or not parts or not all(parts):
        raise BadInput("id.bad", id=f"urn:ngsi-ld:{type}:{':'.join(parts)}")
    return check_urn(f"urn:ngsi-ld:{type}:{':'.join(_encode(part) for part in parts)}")


def check_urn(text: object) -> str:
    """Returns the identifier unchanged if it is a URI of at most 1,024 characters, sound too if a URN.

    Raises:
        BadInput: ``id.bad``.
    """
    if not isinstance(text, str) or len(text) > LONGEST_ID:
        raise BadInput("id.bad", id=text)
    pattern = _URN if text[:4].lower() == "urn:" else _URI
    if not pattern.fullmatch(text):
        raise BadInput("id.bad", id=text)
    return text


def _encode(part: str) -> str:
    try:
        encoded = quote(part, safe="~!$&'()*+,;=@/")
    except UnicodeEncodeError as cause:
        raise BadInput("id.bad", id=part) from cause
    # the NSS may not begin with a slash (RFC 8141 §2.2), and only a part's beginning can come there
    return f"%2F{encoded[1:]}" if encoded.startswith("/") else encoded
