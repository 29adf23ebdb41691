"""Entities of a batch that are alike, on their short way to the keeper (decision 0018)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal, cast

from yunmeng.kernel.base import BadInput, YunmengError
from yunmeng.kernel.keeper import Sheet, sheet_of
from yunmeng.kernel.model import Context, Outcome, alike, read_table
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.keeping import write
from yunmeng.kernel.serve.lane import LARGEST_MESSAGE
from yunmeng.kernel.serve.ngsild.intake import check_table
from yunmeng.kernel.serve.routes import Call

Item = tuple[object, Context | YunmengError]
_Body = dict[str, Any]

FEWEST_ALIKE = 8
"""Below that, columns cost as much as they save."""

# above that, other writes would wait for long
_MOST = 500


async def created_together(call: Call, body: _Body, context: Context) -> Outcome | None:
    """Creates an entity with others like it that come at the same time; None when it has to be alone."""
    key = (call.reach, call.principal.id, id(context))

    async def create_all(bodies: Sequence[_Body]) -> list[Outcome | None]:
        sheets, _ = parted(call, [(one, context) for one in bodies], "create")
        done = {outcome.id: outcome for outcome in await write(call, sheets)} if sheets else {}
        return [done.get(str(one.get("id"))) for one in bodies]

    return await desk(call).creations.join(key, body, create_all)


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
                sheet = _sheet(call, some, contexts[key], mode) if len(some) >= FEWEST_ALIKE else None
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
    sheet = sheet_of(table, mode)
    # one by one they fit into messages
    return sheet if sheet is not None and len(sheet.lines) < LARGEST_MESSAGE else None


def _all_different(items: Sequence[Item]) -> bool:
    ids = [str(cast("_Body", item).get("id")) for item, _ in items if isinstance(item, dict)]
    return len(set(ids)) == len(ids)
