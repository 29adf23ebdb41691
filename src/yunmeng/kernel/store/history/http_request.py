"""A request of ClickHouse's HTTP interface, read: its statement, settings, parameters and data."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

from yunmeng.kernel.store.history.engine import EngineError

CHUNK = 1 << 20
TRANSPORT = frozenset({
    "query", "database", "default_format", "session_id", "session_timeout", "session_check", "query_id",
    "compress", "decompress", "user", "password", "quota_key", "client_protocol_version", "role",
    "stacktrace", "enable_http_compression", "http_zlib_compression_level", "wait_end_of_query",
    "buffer_size", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
})  # fmt: skip
_INSERT = re.compile(rb"\s*INSERT\s+INTO\s", re.IGNORECASE)
_FORMAT = re.compile(rb"\sFORMAT\s+(\w+)", re.IGNORECASE)
_FROM_QUERY = re.compile(rb"\s(SELECT|VALUES)[\s(]", re.IGNORECASE)
_TRAILING = re.compile(r"\sFORMAT\s+(\w+)\s*(?:;\s*)?$", re.IGNORECASE)


@dataclass(slots=True)
class Statement:
    """What to run: a whole statement, or an INSERT (without FORMAT) and the chunks of its data."""

    sql: str
    format: str
    data: Iterator[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict[str, str])
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Returns the path and the query parameters of a request target."""
    parts = urlsplit(target)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


def statement(options: dict[str, str], body: Iterator[bytes], content_type: str, wanted: str) -> Statement:
    """Reads the statement from the URL's options and the body, which follows the query as in ClickHouse."""
    if content_type.startswith("multipart/form-data"):
        options = {**options, **_form(content_type, b"".join(body))}
        body = iter(())
    found = _assemble(options.get("query", ""), body, options.get("default_format", wanted))
    found.parameters = {key[6:]: text for key, text in options.items() if key.startswith("param_")}
    found.settings = {
        key: text for key, text in options.items() if key not in TRANSPORT and key[:6] != "param_"
    }
    return found


def _assemble(query: str, body: Iterator[bytes], wanted: str) -> Statement:
    head = query.encode()
    data_follows = _insert_head(head)
    if data_follows is not None and not head[data_follows.end() :].strip(b"; \r\n\t"):
        return Statement(head[: data_follows.start()].decode(), data_follows[1].decode(), body)
    whole = (head + b"\n" if head else b"") + b"".join(body)
    inline = _insert_head(whole)
    if inline is not None:
        rest = re.sub(rb"^[ \t]*\r?\n?", b"", whole[inline.end() :], count=1)
        return Statement(whole[: inline.start()].decode(), inline[1].decode(), iter((rest,)))
    try:
        sql = whole.decode()
    except UnicodeDecodeError as cause:
        raise EngineError("Code: 62. DB::Exception: The query is not UTF-8. (SYNTAX_ERROR)") from cause
    trailing = _TRAILING.search(sql)
    return Statement(sql, trailing[1] if trailing else wanted)


def _insert_head(text: bytes) -> re.Match[bytes] | None:
    if not _INSERT.match(text):
        return None
    found = _FORMAT.search(text)
    return found if found and not _FROM_QUERY.search(text, 0, found.start()) else None


def _form(content_type: str, body: bytes) -> dict[str, str]:
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        raise EngineError("Code: 36. DB::Exception: The form has no boundary. (BAD_ARGUMENTS)")
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'\sname="([^"]*)"', head)
        if name is None or b"filename=" in head:
            raise EngineError(
                "Code: 48. DB::Exception: External tables are not offered here. (NOT_IMPLEMENTED)"
            )
        fields[name[1].decode()] = value.decode()
    return fields


def body_chunks(stream: BinaryIO, headers: Mapping[str, str]) -> Iterator[bytes]:
    """Yields the body as it was sent, in pieces of at most a megabyte."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return _chunked(stream)
    return _sized(stream, headers)


def decoded(chunks: Iterator[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    """Yields a body decompressed, as ``Content-Encoding`` says."""
    encoding = headers.get("Content-Encoding", "").lower()
    return _inflate(chunks, encoding) if encoding not in ("", "identity") else chunks


def _sized(stream: BinaryIO, headers: Mapping[str, str]) -> Iterator[bytes]:
    left = int(headers.get("Content-Length") or 0)
    while left > 0:
        piece = stream.read(min(left, CHUNK))
        if not piece:
            raise ConnectionError("the client went away inside its body")
        left -= len(piece)
        yield piece


def _chunked(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        line = stream.readline(1024)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError as cause:
            raise ConnectionError("the client went away inside its body") from cause
        yield from _sized(stream, {"Content-Length": str(size)})
        stream.readline(1024)
        if size == 0:
            return


def _inflate(raw: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    expand = _decompressor(encoding)
    for piece in raw:
        try:
            text = expand(piece)
        except (zlib.error, RuntimeError) as cause:
            raise EngineError(
                f"Code: 354. DB::Exception: {encoding}: {cause}. (ZLIB_INFLATE_FAILED)"
            ) from cause
        if text:
            yield text


def _decompressor(encoding: str) -> Callable[[bytes], bytes]:
    if encoding in ("gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
    if encoding == "lz4":
        import lz4.frame  # pyright: ignore[reportMissingTypeStubs]

        return lz4.frame.LZ4FrameDecompressor().decompress  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    raise EngineError(
        f"Code: 48. DB::Exception: Content-Encoding {encoding} is not offered here. (NOT_IMPLEMENTED)"
    )


def compress(body: bytes, accepted: str) -> tuple[bytes, str]:
    """Compresses an answer with the best encoding that the client accepts; an empty name for none."""
    offered = {part.split(";")[0].strip() for part in accepted.lower().split(",")}
    if len(body) < 1024:
        return body, ""
    if "lz4" in offered:
        try:
            import lz4.frame  # pyright: ignore[reportMissingTypeStubs]

            return bytes(lz4.frame.compress(body)), "lz4"  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        except ImportError:
            pass
    if "gzip" in offered:
        packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        return packer.compress(body) + packer.flush(), "gzip"
    return body, ""
