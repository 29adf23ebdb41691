"""Reference pages made from code: commands, routes, the forms of ``views.toml`` and ``package.toml``."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from reference_tables import MADE, table

from yunmeng.console import views
from yunmeng.kernel.base import manifest, package_folder
from yunmeng.kernel.serve import Route
from yunmeng.kernel.serve.pages import page_route
from yunmeng.kernel.trust import ANONYMOUS, Policy, Principal, Resource
from yunmeng.node.cli import cli
from yunmeng.node.routes import all_routes

ROLES = ("administrator", "operator", "analyst", "viewer", "auditor", "service", "device", "node")


def pages() -> dict[str, str]:
    """Returns the pages by file name."""
    return {
        "commands.md": MADE + _commands(),
        "routes.md": MADE + _routes(),
        "views.md": MADE + _views(),
        "package.md": MADE + _package(),
    }


def commands(group: Any = cli, path: tuple[str, ...] = ("yunmeng",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields every command with its words."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def _commands() -> str:
    parts = [
        "# The command line 命令行",
        "In a checkout, `./yunmeng` stands for `yunmeng`: it makes the environment first. "
        "`--json` prints JSON for programs. Errors go to standard error in both languages, with status 1.",
    ]
    for path, command in commands():
        if hasattr(command, "commands"):
            parts += [f"## {' '.join(path)}", _help(command)]
        else:
            level = "##" if len(path) == 2 else "###"
            parts += [f"{level} {' '.join(path)}", _help(command), _usage(path, command), _options(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "")


def _usage(path: tuple[str, ...], command: Any) -> str:
    context = click.Context(command, info_name=" ".join(path))
    return f"```text\n{' '.join([' '.join(path), *command.collect_usage_pieces(context)])}\n```"


def _options(command: Any) -> str:
    rows = []
    for each in command.params:
        if each.param_type_name == "option":
            metavar = "" if each.is_flag else f" {each.make_metavar(click.Context(command))}"
            default = f" Default: {each.default}." if each.show_default else ""
            rows.append((f"`{', '.join(each.opts)}{metavar}`", f"{each.help or ''}{default}"))
    return table(("Option", "What for"), rows) if rows else ""


def all_rows() -> tuple[Route, ...]:
    """Returns every route of a node, the console's pages included."""
    return (*all_routes(), page_route(Path()))


def _routes() -> str:
    parts = [
        "# HTTP routes",
        "Every route names an action, and the decision point (`kernel/trust/policy.cedar`) decides on it "
        "before the handler runs. *Who* lists the roles that the built-in policy lets through; "
        "`everybody` needs no sign-in, `signed in` needs no role. How far somebody sees within a route is "
        "the policy's second answer (tenant, divisions), which the stores apply. A running node shows the "
        "same table at `/docs` and as OpenAPI 3.1 at `/openapi.json`.",
        table(("Method", "Path", "Action", "Who", "What"), [_route(each) for each in all_rows()]),
    ]
    return "\n\n".join(parts) + "\n"


def _route(route: Route) -> tuple[str, ...]:
    summary = route.summary or (route.handler.__doc__ or "").strip().splitlines()[0]
    return route.method, f"`{route.path}`", f"`{route.action}`", _who(route.action), summary.rstrip(".")


def _who(action: str) -> str:
    policy = Policy("420000")
    resource = Resource(action.partition(".")[0])
    if policy.decide(ANONYMOUS, action, resource).allowed:
        return "everybody"
    nobody = Principal("person:x", divisions=("420000",))
    if policy.decide(nobody, action, resource).allowed:
        return "signed in"
    roles = (role for role in ROLES if _may(policy, role, action, resource))
    return ", ".join(roles)


def _may(policy: Policy, role: str, action: str, resource: Resource) -> bool:
    return policy.decide(
        Principal("person:x", roles=(role,), divisions=("420000",)), action, resource
    ).allowed


def _views() -> str:
    parts = [
        "# views.toml",
        "What a package shows in the console. The file stands beside `package.toml`; it is checked when the "
        "console loads it, and an error names file and line. Ids are unique among all packages.",
        _members("The file", views.ViewFile, "Each member is an array of tables, e.g. `[[tiles]]`."),
    ]
    kinds = (views.Page, views.Layer, views.Tile, views.Chart, views.Table, views.Form)
    parts += [_members(f"[[{kind.__name__.lower()}s]]", kind) for kind in kinds]
    parts += [_members("A column of a table", views.Column), _members("A threshold", views.Threshold)]
    parts += [_members("A title", views.Title)]
    example = (package_folder("yunmeng.converged.water") / "views.toml").read_text(encoding="utf-8")
    parts += ["## An example", "The views of the package `water`:", f"```toml\n{example.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _members(title: str, kind: Any, about: str = "") -> str:
    rows = [
        (f"`{each.encode_name}`", "" if each.required else f"`{_default(each)}`", f"`{_type(each.type)}`")
        for each in msgspec.structs.fields(kind)
    ]
    words = about or inspect.cleandoc(kind.__doc__)
    return f"## {title}\n\n{words.replace('``', '`')}\n\n{table(('Member', 'Default', 'Type'), rows)}"


def _default(each: Any) -> str:
    if each.default is not msgspec.NODEFAULT:
        return repr(each.default)
    return repr(each.default_factory())


def _type(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    text = re.sub(r"\b(?:typing|yunmeng\.console\.views)\.", "", text)
    text = re.sub(r"Literal\[([^\]]*)\]", lambda found: found[1].replace(", ", " or "), text)
    return re.sub(r"tuple\[(.*), \.\.\.\]", r"list of \1", text)


def _package() -> str:
    about, _, rest = (manifest.__doc__ or "").partition("A folder holds::")
    example, _, after = rest.partition("\n``id`` and")
    return (
        f"# package.toml\n\n{about.strip().replace('``', '`')}\n\nA folder holds:\n\n"
        f"```toml\n{textwrap.dedent(example).strip()}\n```\n\n`id` and"
        f"{after.replace('``', '`').rstrip()}\n"
    )
