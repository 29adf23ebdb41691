"""The exact answer about one candidate; of its document only what is asked about is decoded."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from yunmeng.kernel.model import Compare, Condition, Document, Exists, Linked, geometries, matches
from yunmeng.kernel.store.state.plan import Plan
from yunmeng.kernel.store.state.port import EntityQuery


class Judge:
    """Decides about the candidates of one query.

    ``attributes`` are the URIs it looks at: where none of them is telemetry, last values need no merging.
    Where the condition is ``decided`` already, only the place is looked at.
    """

    def __init__(self, plan: Plan, query: EntityQuery, *, decided: bool = False) -> None:
        self._condition = query.conditions if plan.ask and not decided else None
        self._geo = plan.geo
        self._property = query.geo.property if query.geo is not None else ""
        names = {self._property} if self._geo else set[str]()
        if self._condition is not None:
            names.update(_attributes(self._condition))
        self.attributes = frozenset(names)
        self._decode = _outline(tuple(sorted(names)))

    def accepts(self, body: bytes) -> bool:
        """Tells whether a document matches what SQL could not decide."""
        if not self.attributes:
            return True
        document = self._decode(body)
        if self._condition is not None and not matches(document, self._condition):
            return False
        return self._geo is None or any(map(self._geo.matches, geometries(document, self._property)))


def _attributes(condition: Condition) -> Iterable[str]:
    if isinstance(condition, Compare | Exists | Linked):
        yield condition.path.attribute
    else:
        for part in condition.parts:
            yield from _attributes(part)


@lru_cache(maxsize=256)
def _outline(names: tuple[str, ...]) -> "_Decode":
    # a struct's decoder skips the other members without making objects of them
    fields = [(f"f{place}", Any, None) for place in range(len(names))]
    rename = {f"f{place}": name for place, name in enumerate(names)}
    decode = msgspec.json.Decoder(msgspec.defstruct("Outline", fields, rename=rename)).decode
    return _Decode(decode, [(f"f{place}", name) for place, name in enumerate(names)])


class _Decode:
    def __init__(self, decode: Any, names: list[tuple[str, str]]) -> None:
        self._decode = decode
        self._names = names

    def __call__(self, body: bytes) -> Document:
        found = self._decode(body)
        return {name: value for field, name in self._names if (value := getattr(found, field)) is not None}
