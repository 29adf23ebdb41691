"""Writes what the docs take from the code: ``python docs/build.py [--check]``.

The pages of ``reference/`` are made whole. In every other page, and in the READMEs, two marks are filled in:
``<!-- include: examples/x.py -->`` is followed by that file as a code block, and what stands between
``<!-- figure: coverage -->`` and ``<!-- end -->`` is the figure of ``yunmeng plan coverage``.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference_code
import reference_speed
import reference_tables

ROOT = Path(__file__).resolve().parents[1]

_INCLUDE = re.compile(r"<!-- include: (\S+) -->\n+(?:```\w*\n.*?\n```\n)?", re.DOTALL)
_FIGURE = re.compile(r"<!-- figure: coverage -->.*?<!-- end -->", re.DOTALL)
_LANGUAGES = {".csv": "text", ".py": "python", ".toml": "toml", ".out": "text", ".sh": "sh"}


def main() -> int:
    """Writes the stale files, or only names them; returns 1 when ``--check`` found one."""
    stale = list(stale_files())
    checking = "--check" in sys.argv[1:]
    for path, text in stale:
        print(f"{'stale' if checking else 'wrote'} {path.relative_to(ROOT)}")
        if not checking:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if checking and stale else 0


def stale_files() -> Iterator[tuple[Path, str]]:
    """Yields each file that differs from what the code says, with the text that it should have."""
    for path, text in wanted():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path, text


def wanted() -> Iterator[tuple[Path, str]]:
    """Yields every file of the docs with its text as it should be."""
    made = reference_tables.pages() | reference_code.pages() | reference_speed.pages()
    for name, text in made.items():
        yield ROOT / "docs" / "reference" / name, text
    for path in written_pages():
        yield path, filled(path.read_text(encoding="utf-8"))


def written_pages() -> list[Path]:
    """Returns the pages that people write."""
    docs = (path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "reference")
    return sorted([*ROOT.glob("*.md"), *docs])


def filled(text: str) -> str:
    """Fills the marks of a page."""
    text = _INCLUDE.sub(_included, text)
    return _FIGURE.sub(lambda _: f"<!-- figure: coverage -->{reference_tables.covered()}<!-- end -->", text)


def _included(found: re.Match[str]) -> str:
    file = ROOT / found[1]
    body = file.read_text(encoding="utf-8").rstrip("\n")
    return f"<!-- include: {found[1]} -->\n\n```{_LANGUAGES[file.suffix]}\n{body}\n```\n"


if __name__ == "__main__":
    sys.exit(main())
