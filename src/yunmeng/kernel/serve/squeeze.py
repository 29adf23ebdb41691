"""Long answers squeezed: on a county's line a map of points comes in a tenth of the bytes."""

import zlib

from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.replies import JSON, Reply, encode_json
from yunmeng.kernel.serve.routes import Call

LEAST = 16 << 10
"""Shorter answers are sent as they are: squeezing them costs more than it saves."""

_GZIP = 31  # zlib's number for the largest window in a gzip frame
_QUICK = 1


def squeezed_reply(call: Call, payload: object) -> Reply:
    """Answers with JSON, as gzip when it is long and the caller reads gzip (RFC 9110 §8.4)."""
    return squeezed_bytes(call, encode_json(payload))


def squeezed_bytes(call: Call, body: bytes, media: str = JSON) -> Reply:
    """Answers with a body that is ready, as gzip when it is long and the caller reads gzip."""
    if len(body) < LEAST or not reads_gzip(call):
        return Reply(body, 200, media, {"Vary": "Accept-Encoding"})
    return Reply(gzipped(body), 200, media, {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


def reads_gzip(call: Call) -> bool:
    """Tells whether the caller says that it reads gzip."""
    parts = (header(call.request, b"accept-encoding") or "").lower().split(",")
    return any(part.strip().replace(" ", "") in ("gzip", "gzip;q=1", "gzip;q=1.0") for part in parts)


def gzipped(body: bytes, level: int = _QUICK) -> bytes:
    """Returns bytes as a gzip stream."""
    squeezer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    return squeezer.compress(body) + squeezer.flush()
