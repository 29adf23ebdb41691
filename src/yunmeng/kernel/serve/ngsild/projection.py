"""``pick`` and ``omit``: members by name, those of linked entities in braces (ETSI GS CIM 009 §4.21)."""

import re

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Context

Tree = dict[str, "Tree"]

MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_TOKEN = re.compile(r"[{},|]|[^{},|]+")
_DEEPEST = 10


def parse_projection(text: str | None, context: Context) -> Tree:
    """Returns the names of a list as URIs, each with what stands in its braces.

    Raises:
        BadInput: ``query.projection``, ``name.invalid``.
    """
    if not text:
        return {}
    tokens = _TOKEN.findall(text)
    tree, rest = _list(text, tokens, context, 0)
    if rest != len(tokens):
        raise BadInput("query.projection", text=text)
    return tree


def depth(tree: Tree) -> int:
    """Returns how many levels of names a projection has: one more than the relationships it follows."""
    return 1 + max(map(depth, tree.values())) if tree else 0


def _list(text: str, tokens: list[str], context: Context, place: int, depth: int = 0) -> tuple[Tree, int]:
    if depth > _DEEPEST:
        raise BadInput("query.projection", text=text)
    tree: Tree = {}
    while True:
        name = tokens[place].strip() if place < len(tokens) else ""
        if not name or name in "{},|":
            raise BadInput("query.projection", text=text)
        uri = name if name in MEMBERS else context.expand(name)
        below: Tree = {}
        place += 1
        if place < len(tokens) and tokens[place] == "{":
            below, place = _list(text, tokens, context, place + 1, depth + 1)
            if place >= len(tokens) or tokens[place] != "}":
                raise BadInput("query.projection", text=text)
            place += 1
        tree[uri] = {**tree.get(uri, {}), **below}
        if place >= len(tokens) or tokens[place] not in ",|":
            return tree, place
        place += 1
