"""chDB behind a small typed wrapper: the only file that imports it."""

import ctypes
import importlib
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from yunmeng.kernel.base import Broken, Unavailable

_HEAVY = ("pyarrow", "pandas", "numpy")
_DONTNEED = 4

# Merges take their settings from here alone. They work hours out in blocks, of which a million rows, as it is
# by itself, take half a gigabyte and more; inserts say their own size.
_PROFILE = """<clickhouse>
  <profiles><default><min_insert_block_size_rows>65536</min_insert_block_size_rows></default></profiles>
  <users><default><password/><networks><ip>::/0</ip></networks><profile>default</profile></default></users>
</clickhouse>
"""

Settings = Mapping[str, str]


class EngineError(Exception):
    """The engine refused a query; the text starts with ``Code: <number>.``."""

    @property
    def code(self) -> int:
        """The ClickHouse error code, 1002 (unknown exception) when the text names none."""
        found = re.search(r"Code:\s*(\d+)", str(self))
        return int(found[1]) if found else 1002


@dataclass(frozen=True, slots=True)
class Answer:
    """A result in its format, and what it took; times in seconds."""

    body: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_s: float = 0.0
    result_rows: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may take of the machine, in bytes and threads."""

    memory: int = 1 << 30
    cache: int = 32 << 20
    merges: int = 1


class Connection:
    """One connection: its settings last as long as it does."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.busy = threading.Lock()

    def set(self, settings: Settings) -> None:
        """Sets settings on this connection; raises :class:`EngineError` for an unknown one."""
        if settings:
            assignments = ", ".join(f"{_name(key)} = {_value(text)}" for key, text in settings.items())
            self.query(f"SET {assignments}", "Null", {})

    def prepare(self, database: str, settings: Settings) -> None:
        """Makes a database (if one is named) the current one, and sets settings."""
        if database:
            self.query(f"USE `{database.replace('`', '``')}`", "Null", {})
        self.set(settings)

    def query(self, sql: str, format: str, parameters: Mapping[str, str]) -> Answer:
        """Runs one statement; ``parameters`` fill its ``{name:Type}`` places."""
        result = _guarded(lambda: self._raw.query(sql, format, params=dict(parameters)))
        # a copy: a view would outlive the memory it looks at
        body = bytes(result.bytes())
        read, read_bytes = int(result.storage_rows_read()), int(result.storage_bytes_read())
        written, written_bytes = int(result.rows_written()), int(result.bytes_written())
        return Answer(
            body, read, read_bytes, written, written_bytes, float(result.elapsed()), int(result.rows_read())
        )

    def changes(self, sql: str) -> bool:
        """Says whether the statement is anything but a read."""
        return "READ" not in str(self._raw.classify_query(sql)["query_class"]).upper()

    def reset(self, settings: Settings) -> None:
        """Sets settings back to what the engine has by itself."""
        if settings:
            self.query("SET " + ", ".join(f"{_name(key)} = DEFAULT" for key in settings), "Null", {})

    def insert(self, sql: str, format: str, chunks: Iterable[bytes]) -> Answer:
        """Runs an INSERT (without its FORMAT) on data that arrives in chunks; all or nothing per block."""
        handle = _guarded(lambda: self._raw.send_insert(sql, format))
        try:
            for chunk in chunks:
                self._append(handle, chunk)
        except BaseException:
            with suppress(RuntimeError):
                self._raw.insert_cancel(handle)
            raise
        done = _guarded(lambda: self._raw.insert_done(handle))
        written = int(done.rows_written()), int(done.bytes_written())
        return Answer(b"", written_rows=written[0], written_bytes=written[1], elapsed_s=float(done.elapsed()))

    def _append(self, handle: Any, chunk: bytes) -> None:
        _guarded(lambda: self._raw.insert_append(handle, chunk))

    def close(self) -> None:
        """Gives the connection back."""
        self._raw.close()


class Engine:
    """chDB on one folder; safe to use from several threads, one connection each.

    Raises:
        Unavailable: ``history.extra-missing`` when chDB is not installed.
        Broken: ``history.corrupt`` when the folder cannot be opened.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._module = _load()
        config, profile = folder / "engine.xml", folder / "profile.xml"
        config.write_text(_config(limits, profile), encoding="utf-8")
        profile.write_text(_PROFILE, encoding="utf-8")
        self._address = f"{folder / 'data'}?config-file={config}&background_pool_size={limits.merges}"
        try:
            self._keep = self.connect()
            self.version = self._text("SELECT version()")
            self._check_parts()
        except EngineError as cause:
            raise Broken("history.corrupt", folder=folder, reason=cause) from cause
        except RuntimeError as cause:
            raise Broken("history.corrupt", folder=folder, reason=cause) from cause

    def connect(self) -> Connection:
        """Opens a connection (a quarter of a millisecond)."""
        return Connection(self._module.connect(self._address))

    def _text(self, sql: str) -> str:
        return bytes(self._keep.query(sql, "TSV", {}).body).decode().strip()

    def _check_parts(self) -> None:
        # an engine that finds a broken part sets it aside and goes on without it: that is lost data
        aside = self._text("SELECT count() FROM system.detached_parts WHERE startsWith(reason, 'broken')")
        if aside != "0":
            raise EngineError(f"{aside} broken parts were set aside")

    def close(self) -> None:
        """Flushes and closes the folder."""
        self._keep.close()


def _guarded(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except RuntimeError as cause:
        raise EngineError(str(cause)) from cause


def _load() -> Any:
    # chDB imports these when they are there; a server that speaks bytes needs none of them (100 MB)
    hidden = {name: sys.modules.get(name) for name in _HEAVY}
    sys.modules.update(dict.fromkeys(_HEAVY))  # type: ignore[arg-type]
    try:
        return importlib.import_module("chdb._chdb")
    except ImportError as cause:
        raise Unavailable("history.extra-missing", part="chdb") from cause
    finally:
        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _config(limits: Limits, profile: Path) -> str:
    caches = (
        "mark_cache_size",
        "primary_index_cache_size",
        "index_mark_cache_size",
        "query_condition_cache_size",
    )
    values = {
        **dict.fromkeys(caches, str(limits.cache)),
        "max_server_memory_usage": str(limits.memory),
        "background_schedule_pool_size": "1",
        "background_schedule_pool_initial_size": "1",
        "max_thread_pool_free_size": "4",
        "max_io_thread_pool_size": "8",
        # by itself the engine rests for half a second after each part; a deletion goes through all of them
        "background_processing_pool_task_sleep_seconds_when_no_work_random_part": "0.01",
        "background_processing_pool_thread_sleep_seconds_if_nothing_to_do": "0.01",
        "users_config": str(profile),
    }
    rows = "".join(f"  <{name}>{escape(value)}</{name}>\n" for name, value in values.items())
    return f"<clickhouse>\n{rows}</clickhouse>\n"


def _name(key: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", key):
        raise EngineError(f"Code: 115. DB::Exception: Unknown setting {key!r}. (UNKNOWN_SETTING)")
    return key


def _value(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def release_mapped_code() -> None:
    """Gives the clean pages of chDB's 555 MB library to the page cache; they return when used (Linux)."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for low, high in _clean_mappings(Path("/proc/self/smaps").read_text(encoding="utf-8")):
        libc.madvise(ctypes.c_void_p(low), ctypes.c_size_t(high - low), _DONTNEED)


def _clean_mappings(smaps: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for entry in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", smaps)[1:]:
        head, _, rest = entry.partition("\n")
        addresses, rights = head.split()[:2]
        # a page that was relocated is private and dirty: dropping it would bring back the file's bytes
        clean = "w" not in rights and re.search(r"(?m)^Anonymous:\s+0 kB", rest)
        if clean and "_chdb" in head and re.search(r"(?m)^Private_Dirty:\s+0 kB", rest):
            low, high = (int(part, 16) for part in addresses.split("-"))
            found.append((low, high))
    return found
