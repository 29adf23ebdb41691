"""ClickHouse's HTTP interface over a chDB engine, as much of it as clients use."""

import base64
import hmac
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

from yunmeng.kernel.store.history.engine import Answer, Connection, Engine, EngineError
from yunmeng.kernel.store.history.http_request import (
    Statement,
    body_chunks,
    compress,
    decoded,
    split_target,
    statement,
)

USER = "default"
_READERS = 16
_PATIENCE = 64
_READ = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_STATUS = {
    36: 400, 38: 400, 41: 400, 43: 400, 44: 400, 46: 404, 47: 404, 48: 501, 53: 400, 60: 404, 62: 400,
    81: 404, 115: 404, 117: 400, 159: 408, 164: 500, 194: 401, 241: 500, 373: 500, 456: 400, 457: 400,
    516: 403,
}  # fmt: skip
_MEDIA = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
}


class Interface(ThreadingHTTPServer):
    """The server: one thread a client connection, ``slots`` queries at once, the rest wait their turn."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, engine: Engine, password: str, slots: int = 4) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.engine = engine
        self.version = engine.version
        self.last_request = time.monotonic()
        self._password = password.encode()
        self._slots = threading.BoundedSemaphore(slots)
        # more reads than processors cost each of them a tenth more, and leave no place for a write
        self._reads = threading.BoundedSemaphore(min(max(os.cpu_count() or 1, 2), slots))
        self._count = slots
        self._sessions: dict[str, tuple[Connection, float]] = {}
        self._sessions_lock = threading.Lock()
        self._readers: dict[tuple[str, tuple[tuple[str, str], ...]], list[Connection]] = {}

    def admits(self, user: str, password: str) -> bool:
        """Says whether these are the credentials of the node."""
        return user == USER and hmac.compare_digest(password.encode(), self._password)

    @contextmanager
    def slot(self) -> Generator[None]:
        """Holds one of the places for a running query."""
        with self._slots:
            yield
        self.last_request = time.monotonic()

    @contextmanager
    def reader(self, database: str, settings: Mapping[str, str]) -> Generator[Connection]:
        """Lends a connection for one read; one with the same settings serves again (a millisecond less)."""
        with self._reads, self.slot(), self._lent(database, settings) as connection:
            yield connection

    @contextmanager
    def _lent(self, database: str, settings: Mapping[str, str]) -> Generator[Connection]:
        key = database, tuple(sorted(settings.items()))
        with self._sessions_lock:
            idle = self._readers.get(key)
            connection = idle.pop() if idle else None
        if connection is None:
            connection = self.engine.connect()
            connection.prepare(database, settings)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._sessions_lock:
            if len(self._readers) > _READERS:
                self._close_readers()
            self._readers.setdefault(key, []).append(connection)

    def _close_readers(self) -> None:
        for connections in self._readers.values():
            for connection in connections:
                connection.close()
        self._readers.clear()

    @contextmanager
    def connection(self, session: str, timeout_s: float) -> Generator[Connection]:
        """Lends a fresh connection, or the one of a session; a session serves one query at a time."""
        if not session:
            fresh = self.engine.connect()
            try:
                yield fresh
            finally:
                fresh.close()
            return
        kept = self._session(session, timeout_s)
        if not kept.busy.acquire(blocking=False):
            raise EngineError(f"Code: 373. DB::Exception: Session {session} is locked. (SESSION_IS_LOCKED)")
        try:
            yield kept
        finally:
            kept.busy.release()

    def _session(self, session: str, timeout_s: float) -> Connection:
        now = time.monotonic()
        with self._sessions_lock:
            for name, (connection, until) in list(self._sessions.items()):
                if until < now and not connection.busy.locked():
                    connection.close()
                    del self._sessions[name]
            found = self._sessions.get(session)
            connection = found[0] if found else self.engine.connect()
            self._sessions[session] = connection, now + timeout_s
            return connection

    def drain(self, patience_s: float) -> None:
        """Takes no more queries and waits for those that run."""
        until = time.monotonic() + patience_s
        for _ in range(self._count):
            self._slots.acquire(timeout=max(0.0, until - time.monotonic()))
        with self._sessions_lock:
            self._close_readers()


def _drained(body: Iterator[bytes]) -> bool:
    try:
        return sum(1 for _ in islice(body, _PATIENCE)) < _PATIENCE
    except ConnectionError:
        return False


class Handler(BaseHTTPRequestHandler):
    """One client connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 75
    server: Interface  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the node's own log has the queries that matter."""

    def do_GET(self) -> None:
        """Answers a ping, or a query that changes nothing."""
        path, options = split_target(self.path)
        if path == "/ping" or (path == "/" and "query" not in options):
            self._reply(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        else:
            self._serve(path, options, read_only=True)

    def do_POST(self) -> None:
        """Answers a query."""
        path, options = split_target(self.path)
        self._serve(path, options, read_only=False)

    def _serve(self, path: str, options: dict[str, str], *, read_only: bool) -> None:
        body = body_chunks(self.rfile, self.headers)  # pyright: ignore[reportArgumentType]
        content = decoded(body, self.headers)  # pyright: ignore[reportArgumentType]
        query_id = options.get("query_id") or self.headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4())
        try:
            self._check(path, options)
            asked = statement(
                options,
                content,
                self.headers.get("Content-Type", ""),
                self.headers.get("X-ClickHouse-Format", "TabSeparated"),
            )
            answer = self._run(asked, options, read_only=read_only)
            self._answer(answer, asked.format, query_id, options)
        except EngineError as error:
            # what is left of the body would be read as the next request, and a close would cut off the answer
            self.close_connection = not _drained(body)
            self._refuse(error, query_id)
        except ConnectionError:
            self.close_connection = True

    def _check(self, path: str, options: Mapping[str, str]) -> None:
        if path not in ("/", "/query"):
            raise EngineError(f"Code: 404. DB::Exception: There is no handle {path}. (NO_HANDLE)")
        if not self.server.admits(*self._credentials(options)):
            raise EngineError("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")

    def _credentials(self, options: Mapping[str, str]) -> tuple[str, str]:
        scheme, _, coded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
            except ValueError:
                return "", ""
            return user, password
        user = self.headers.get("X-ClickHouse-User") or options.get("user", USER)
        return user, self.headers.get("X-ClickHouse-Key") or options.get("password", "")

    def _run(self, asked: Statement, options: Mapping[str, str], *, read_only: bool) -> Answer:
        server, session = self.server, options.get("session_id", "")
        timeout_s = float(options.get("session_timeout") or 60)
        database = options.get("database") or self.headers.get("X-ClickHouse-Database", "")
        if not session and asked.data is None and _READ.match(asked.sql):
            with server.reader(database, asked.settings) as connection:
                return self._execute(connection, asked, read_only=read_only)
        with server.slot(), server.connection(session, timeout_s) as connection:
            connection.prepare(database, asked.settings)
            try:
                return self._execute(connection, asked, read_only=read_only)
            finally:
                if session:
                    connection.reset(asked.settings)

    def _execute(self, connection: Connection, asked: Statement, *, read_only: bool) -> Answer:
        if read_only and (asked.data is not None or connection.changes(asked.sql)):
            raise EngineError("Code: 164. DB::Exception: GET is read-only; send a POST. (READONLY)")
        if asked.data is not None:
            return connection.insert(asked.sql, asked.format, asked.data)
        return connection.query(asked.sql, asked.format, asked.parameters)

    def _answer(self, answer: Answer, format: str, query_id: str, options: Mapping[str, str]) -> None:
        summary = {
            "read_rows": str(answer.read_rows),
            "read_bytes": str(answer.read_bytes),
            "written_rows": str(answer.written_rows),
            "written_bytes": str(answer.written_bytes),
            "total_rows_to_read": str(answer.read_rows),
            "result_rows": str(answer.result_rows),
            "result_bytes": str(len(answer.body)),
            "elapsed_ns": str(int(answer.elapsed_s * 1e9)),
        }
        headers = {
            "Content-Type": _MEDIA.get(format, "application/octet-stream"),
            "X-ClickHouse-Format": format,
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Summary": json.dumps(summary, separators=(",", ":")),
        }
        body, encoding = answer.body, ""
        if options.get("enable_http_compression") == "1":
            body, encoding = compress(body, self.headers.get("Accept-Encoding", ""))
        if encoding:
            headers["Content-Encoding"] = encoding
        self._reply(200, body, headers)

    def _refuse(self, error: EngineError, query_id: str) -> None:
        text = str(error)
        if "(version " not in text:
            text += f" (version {self.server.version})"
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Exception-Code": str(error.code),
            "X-ClickHouse-Query-Id": query_id,
        }
        self._reply(
            404 if error.code == 404 else _STATUS.get(error.code, 500), text.encode() + b"\n", headers
        )

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close" if self.close_connection else "Keep-Alive")
        self.send_header("X-ClickHouse-Server-Display-Name", "yunmeng")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
