"""Documents as they lie in the file: squeezed with a dictionary of what every stored document repeats.

A template entity of 1.5 kB has 2.8 kB in stored form (URIs for names, times for each instance), of which one
fits a page; squeezed it has 0.3 kB. Zstandard does it in a third of the time that deflating took, and brings
it back in half; what was deflated once is still read. Decisions 0011 and 0014 have the figures.
"""

import threading
import zlib
from collections.abc import Iterable, Sequence
from typing import cast

import zstandard

# The first byte tells the form; a document that was stored plainly begins with a brace.
_PLAIN, _DEFLATED, _SQUEEZED = b"{", b"\x01", b"\x02"
# Part of the format: another dictionary takes another first byte. What is most frequent stands last.
_DICTIONARY = (
    b'"GeoProperty","value":{"type":"Point","coordinates":[11"https://uri.etsi.org/ngsi-ld/location":['
    b'{"type":"Relationship","object":"urn:ngsi-ld:"https://w3id.org/yunmeng/division":[{"type":"Property",'
    b'"value":"420100","https://w3id.org/yunmeng/synthetic":[{"type":"Property","value":true,'
    b'"https://uri.etsi.org/ngsi-ld/default-context/{"type":"Property","value":,"unitCode":"KWT",'
    b'"observedAt":"2026-11-01T04:00:00Z","datasetId":"urn:ngsi-ld:'
    b'","createdAt":"2026-11-22T15:38:17.123456Z","modifiedAt":"2026-11-22T15:38:17.123456Z"}],'
    b'"https://w3id.org/yunmeng/'
)
_RAW = -13
_LEVEL = -2
_MANY = 16
_SHARED = zstandard.ZstdCompressionDict(_DICTIONARY, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_SHARED.precompute_compress(level=_LEVEL)  # pyright: ignore[reportUnknownMemberType]


class _Tools(threading.local):
    """A thread's own, since they cannot be shared; the dictionary can."""

    def __init__(self) -> None:
        self.squeeze = zstandard.ZstdCompressor(_LEVEL, _SHARED, write_checksum=True)
        self.unsqueeze = zstandard.ZstdDecompressor(_SHARED).decompress


_tools = _Tools()


def pack_body(body: bytes) -> bytes:
    """Returns a document's JSON as it is written into the file."""
    return _SQUEEZED + _tools.squeeze.compress(body)


def pack_bodies(bodies: Sequence[bytes]) -> Iterable[bytes]:
    """Returns many documents' JSON as :func:`pack_body` does, for three quarters of the work."""
    if len(bodies) < _MANY:
        return map(pack_body, bodies)
    squeezed = cast("Iterable[memoryview]", _tools.squeeze.multi_compress_to_buffer(list(bodies)))
    return [_SQUEEZED + each.tobytes() for each in squeezed]


def unpack_body(stored: bytes) -> bytes:
    """Returns a document's JSON from what was read of the file.

    Raises:
        ``zlib.error`` or ``zstandard.ZstdError`` when that is damaged.
    """
    if stored[:1] == _SQUEEZED:
        return _tools.unsqueeze(memoryview(stored)[1:])
    if stored[:1] == _PLAIN:
        return stored
    inflater = zlib.decompressobj(_RAW, _DICTIONARY)
    body = inflater.decompress(memoryview(stored)[1:])
    if stored[:1] != _DEFLATED or not inflater.eof:
        raise zlib.error("a document is cut off, or of an unknown form")
    return body
