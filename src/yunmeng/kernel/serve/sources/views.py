"""What a source shows of one entity, made out only when somebody looks at it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.model import Context, Document
from yunmeng.kernel.serve.sources.forwarding import Answer
from yunmeng.kernel.serve.sources.matching import Match
from yunmeng.kernel.serve.sources.warnings import Warnings

Reading = Callable[[Mapping[str, Any], Context], Document]
Seen = tuple[Match, "View"]


class View:
    """An entity in the answer of a source; of a query over many sources only one page is looked at."""

    __slots__ = ("_answer", "_body", "_context", "_document", "_read", "id")

    def __init__(self, answer: Answer, body: Mapping[str, Any], context: Context, read: Reading) -> None:
        self._answer, self._body, self._context, self._read = answer, body, context, read
        self._document: Document | None = None
        self.id = str(body.get("id", ""))

    def document(self, warnings: Warnings) -> Document | None:
        """Returns the entity as a stored document; None, with a warning, when it cannot be understood."""
        if self._document is None:
            try:
                self._document = self._read(self._body, self._context)
            except YunmengError:
                warnings.invalid(self._answer)
        return self._document


def seen_of(found: Sequence[Match], views: Sequence[Sequence[View]]) -> dict[str, list[Seen]]:
    """Returns by id what each of the sources shows."""
    seen: dict[str, list[Seen]] = {}
    for match, shown in zip(found, views, strict=True):
        for view in shown:
            if view.id:
                seen.setdefault(view.id, []).append((match, view))
    return seen
