"""Where in a TOML file something stands, so that an error can name the line."""

import re

_HEADER = re.compile(r"^\s*\[(\[)?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*(\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)\s*(?:\.|=)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def steps(path: str) -> list[str | int]:
    """Splits a msgspec path (``$.layers[2].kind``) into its keys and numbers."""
    found: list[str | int] = []
    for key, number in _STEP.findall(path.removeprefix("$")):
        found.append(key or (int(number) if number != "..." else 0))
    return found


def line_of(text: str, path: list[str | int]) -> int:
    """Returns the line (from 1) of the deepest part of ``path`` that can be found; 1 when none is."""
    best, names = 1, [str(step) for step in path if isinstance(step, str)]
    wanted = next((step for step in path if isinstance(step, int)), 0)
    counts: dict[str, int] = {}
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            name = header.group(2)
            counts[name] = counts.get(name, -1) + 1
            top = name.split(".", maxsplit=1)[0]
            inside = bool(names) and top == names[0] and counts.get(top, 0) == wanted
            if inside:
                best = number
            continue
        key = _KEY.match(line)
        if inside and key and key.group(1).strip("\"'") in names[1:]:
            return number
    return best
