"""Mends what a kill leaves between a block's token and its rows.

The engine notes the token of a block before it puts the block's part in place. Killed between the two, it
would take the block, sent again, for one that it has, and lose it. So before the engine opens a folder,
tokens whose part never came are struck out.
"""

import os
import re
from pathlib import Path

_PART = re.compile(r"(?P<partition>[^_]+)_(?P<first>\d+)_(?P<last>\d+)_\d+(_\d+)?")


def strike_unkept(data: Path) -> int:
    """Removes tokens without a part from every table below ``data``; returns how many there were."""
    struck = 0
    for log in sorted(data.glob("store/*/*/deduplication_logs/deduplication_log_*.txt")):
        parts = [found for entry in log.parent.parent.iterdir() if (found := _PART.fullmatch(entry.name))]
        lines = log.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _is_kept(line, parts)]
        if len(kept) < len(lines):
            struck += len(lines) - len(kept)
            _replace(log, b"".join(kept))
    return struck


def _is_kept(line: bytes, parts: list[re.Match[str]]) -> bool:
    # <operation> TAB <part> TAB <token>; a line cut short is the last thing that a killed engine wrote
    fields = line.decode(errors="replace").split("\t")
    noted = _PART.fullmatch(fields[1]) if len(fields) == 3 and line.endswith(b"\n") else None
    return noted is not None and any(_covers(part, noted) for part in parts)


def _covers(part: re.Match[str], noted: re.Match[str]) -> bool:
    """Tells whether a part is the noted one, or was merged from it and others."""
    return (
        part["partition"] == noted["partition"]
        and int(part["first"]) <= int(noted["first"])
        and int(noted["last"]) <= int(part["last"])
    )


def _replace(log: Path, content: bytes) -> None:
    draft = log.with_name("draft")
    with draft.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(log)
