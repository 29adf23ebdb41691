"""Documents as they lie in the file: deflated against a dictionary of what every stored document repeats.

A template entity of 1.5 kB has 2.8 kB in stored form (URIs for names, times for each instance), of which one
fits a page; deflated it has 0.3 kB, for 11 µs once and 4 µs a read. Decision 0011 has the figures.
"""

import zlib

# The first byte tells the form; a document that was stored plainly begins with a brace.
_PLAIN, _DEFLATED = b"{", b"\x01"
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


def pack_body(body: bytes) -> bytes:
    """Returns a document's JSON as it is written into the file."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, _RAW, 8, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
    return _DEFLATED + deflater.compress(body) + deflater.flush()


def unpack_body(stored: bytes) -> bytes:
    """Returns a document's JSON from what was read of the file; ``zlib.error`` when that is damaged."""
    if stored[:1] == _PLAIN:
        return stored
    inflater = zlib.decompressobj(_RAW, _DICTIONARY)
    body = inflater.decompress(memoryview(stored)[1:])
    if stored[:1] != _DEFLATED or not inflater.eof:
        raise zlib.error("a document is cut off, or of an unknown form")
    return body
