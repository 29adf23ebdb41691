"""``yunmeng plan | divisions | packages``: the plan, the places, and what is installed."""

from contextlib import nullcontext

import click
from rich_click import RichCommand, RichGroup

from yunmeng.kernel.base import children, division, divisions, packages
from yunmeng.node.cli.output import as_json, out, show


@click.group(cls=RichGroup)
def plan() -> None:
    """The plan 规划: its 99 indicators, its 202 systems, and which code fulfils them."""


@plan.command("indicators")
@click.option("--kind", help="Only one kind: 目标, 现状, 约束, 位次, 技术参数, 推导.")
@as_json
def list_indicators(kind: str | None, *, json_: bool) -> None:
    """Lists the indicators with baseline, target and quote."""
    from yunmeng.plan import indicators

    rows = [row.as_dict() for row in indicators() if kind in (None, row.kind)]
    columns = (
        ("id", "Id"),
        ("name", "Indicator 指标"),
        ("unit", "Unit 单位"),
        ("baseline_2020", "2020"),
        ("target_2025", "2025"),
        ("kind", "Kind 类别"),
        ("section", "§"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan", "target_2025": "bold"})


@plan.command("systems")
@click.option("--section", help="Only one section of the plan, e.g. 4.5.")
@as_json
def list_systems(section: str | None, *, json_: bool) -> None:
    """Lists the systems that the plan names, with section and quote."""
    from yunmeng.plan import systems

    rows = [row.as_dict() for row in systems() if section in (None, row.section)]
    columns = (
        ("id", "Id"),
        ("system", "System 系统"),
        ("section", "§"),
        ("tier", "Tier 层级"),
        ("quote", "Quote 原文"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan", "quote": "dim"})


@plan.command("coverage")
@click.option("--prove", is_flag=True, help="Run the proofs (needs a source checkout with the test tools).")
@click.option("--open", "only_open", is_flag=True, help="Only systems that no package claims.")
@as_json
def show_coverage(*, prove: bool, only_open: bool, json_: bool) -> None:
    """Prints each of the 202 systems with the package that implements it and whether its proof passes."""
    from yunmeng.plan import coverage

    with out.status("proofs 验证…") if prove and not json_ else nullcontext():
        report = coverage(packages(), prove=prove)
    rows = [row.as_dict() for row in report.rows if not (only_open and row.package)]
    columns = (
        ("id", "Id"),
        ("system", "System 系统"),
        ("package", "Package 包"),
        ("state", "State 状态"),
        ("proof", "Proof 验证"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan", "proof": "dim"})
    if not json_:
        out.print(report.summary())


@click.command("divisions", cls=RichCommand)
@click.argument("code", required=False)
@as_json
def list_divisions(code: str | None, *, json_: bool) -> None:
    """Lists the divisions 行政区划 of the province, or what lies under CODE (GB/T 2260)."""
    found = [division(code), *children(code)] if code else list(divisions())
    rows = [
        {
            "code": d.code,
            "name_zh": d.name_zh,
            "name_en": d.name_en,
            "level": d.level,
            "parent": d.parent,
            "area_km2": d.area_km2,
        }
        for d in found
    ]
    columns = (
        ("code", "Code"),
        ("name_zh", "名称"),
        ("name_en", "Name"),
        ("level", "Level 级别"),
        ("area_km2", "km²"),
    )
    show(rows, columns, json_=json_, styles={"code": "cyan"})


@click.command("packages", cls=RichCommand)
@as_json
def list_packages(*, json_: bool) -> None:
    """Lists the installed packages 功能包 and what they claim."""
    rows = [
        {
            "id": p.id,
            "zh": p.name.zh,
            "en": p.name.en,
            "sections": " ".join(p.sections),
            "types": len(p.types),
            "systems": " ".join(claim.id for claim in p.systems),
        }
        for p in packages()
    ]
    columns = (
        ("id", "Id"),
        ("zh", "名称"),
        ("en", "Name"),
        ("sections", "§"),
        ("types", "Types"),
        ("systems", "Systems"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan"})


COMMANDS = (plan, list_divisions, list_packages)
