"""The built pages that ship: complete, from this host only, within their budget."""

import re
from pathlib import Path

STATIC = Path(__file__).parents[2] / "src/yunmeng/console/static"
LOCK = Path(__file__).parents[2] / "console/package-lock.json"

# raw bytes of all scripts together; a change of this line is a decision
SCRIPTS_MOST = 3_700_000


def test_the_first_page_names_files_that_are_there_and_no_other_host() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) >= 5
    assert all(name.startswith("/") and not name.startswith("//") for name in named)
    assert [name for name in named if not (STATIC / name.lstrip("/")).is_file()] == []


def test_the_scripts_stay_within_their_budget() -> None:
    scripts = [file for file in STATIC.rglob("*") if file.suffix in (".js", ".mjs")]
    assert any("worker" in file.name for file in scripts)
    assert sum(file.stat().st_size for file in scripts) <= SCRIPTS_MOST


def test_the_lock_names_no_registry() -> None:
    assert '"resolved"' not in LOCK.read_text(encoding="utf-8")
