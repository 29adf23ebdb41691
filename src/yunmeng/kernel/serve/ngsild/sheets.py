"""Entities of a batch that are alike, on their short way to the keeper (decision 0018)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal, cast

from yunmeng.kernel.base import BadInput, YunmengError
from yunmeng.kernel.keeper import Sheet, sheet_of
from yunmeng.kernel.model import Context, alike, read_table
from yunmeng.kernel.serve.ngsild.intake import check_table
from yunmeng.kernel.serve.routes import Call

Item = tuple[object, Context | YunmengError]
_Body = dict[str, Any]

# below that, columns cost as much as they save; above, other writes would wait for long
_FEWEST, _MOST = 8, 500


def parted(
    call: Call, items: Sequence[Item], mode: Literal["create", "upsert"]
) -> tuple[list[Sheet], list[Item]]:
    """Returns the entities of a batch that are alike as sheets, and the others to be read one by one.

    Nothing that would be refused is in a sheet. Where an entity comes twice there are none, since the order
    counts then.
    """
    by_context: defaultdict[int, list[_Body]] = defaultdict(list)
    contexts: dict[int, Context] = {}
    others: list[Item] = []
    for item, context in items:
        if isinstance(context, Context) and isinstance(item, dict):
            contexts[id(context)] = context
            by_context[id(context)].append(cast("_Body", item))
        else:
            others.append((item, context))
    sheets: list[Sheet] = []
    for key, bodies in by_context.items():
        for group in alike(bodies):
            for start in range(0, len(group), _MOST):
                some = group[start : start + _MOST]
                sheet = _sheet(call, some, contexts[key], mode) if len(some) >= _FEWEST else None
                if sheet is not None:
                    sheets.append(sheet)
                else:
                    others += [(body, contexts[key]) for body in some]
    return (sheets, others) if _all_different(items) else ([], list(items))


def _sheet(
    call: Call, bodies: Sequence[_Body], context: Context, mode: Literal["create", "upsert"]
) -> Sheet | None:
    table = read_table(bodies, context)
    if table is None:
        return None
    try:
        check_table(call, table)
    except BadInput:
        return None
    return sheet_of(table, mode)


def _all_different(items: Sequence[Item]) -> bool:
    ids = [str(cast("_Body", item).get("id")) for item, _ in items if isinstance(item, dict)]
    return len(set(ids)) == len(ids)
