"""Paths into documents (JSON, CBOR): ``data.env[0].temperature``, ``["a.b"].c``."""

import re
from collections.abc import Callable
from typing import Any, Final, cast

from yunmeng.kernel.base import BadInput

ABSENT: Final = object()
"""What a path that leads nowhere finds; null is None."""

Find = Callable[[Any], Any]

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(-?\d+)\]|\["([^"]*)"\]')


def read_path(path: str) -> Find:
    """Returns what finds the value in a document; the empty path finds the document itself.

    Raises:
        BadInput: ``sense.path``.
    """
    steps = _steps(path)
    if not steps:
        return lambda document: document
    if len(steps) == 1 and isinstance(steps[0], str):
        key = steps[0]
        return lambda document: cast("Any", document).get(key, ABSENT) if type(document) is dict else ABSENT
    return lambda document: _walk(document, steps)


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (at == 0 and path[0] == "."):
            raise BadInput("sense.path", path=path)
        steps.append(int(found[2]) if found[2] else found[1] if found[1] is not None else found[3])
        at = found.end()
    return steps


def _walk(document: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, str):
            document = cast("Any", document).get(step, ABSENT) if isinstance(document, dict) else ABSENT
        elif isinstance(document, list) and -len(cast("Any", document)) <= step < len(cast("Any", document)):
            document = cast("Any", document)[step]
        else:
            return ABSENT
    return document
