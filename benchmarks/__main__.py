"""``python -m benchmarks [NAME...] [--json]``: the hot paths; fails when a budget does not hold."""

import json
import sys
from contextlib import redirect_stdout
from importlib import import_module

import click

from benchmarks.budgets import Verdict, judge
from benchmarks.figures import Figure

NAMES = (
    "start",
    "bus",
    "state",
    "history",
    "ingest",
    "serve",
    "broker",
    "notify",
    "federation",
    "temporal",
    "sense",
    "water",
)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--json", "json_", is_flag=True, help="Print JSON for programs.")
def main(names: tuple[str, ...], json_: bool) -> None:
    """Measures the hot paths and compares them with the committed budgets."""
    verdicts: list[Verdict] = []
    for name in names or NAMES:
        click.echo(f"{name} ...", err=True)
        with redirect_stdout(sys.stderr):
            figures: list[Figure] = import_module(f"benchmarks.{name}").run()
        judged = judge(figures)
        verdicts += judged
        if not json_:
            for verdict in judged:
                show(verdict)
    if json_:
        click.echo(json.dumps([verdict.plain() for verdict in verdicts], indent=2, ensure_ascii=False))
    sys.exit(0 if all(verdict.passed for verdict in verdicts) else 1)


def show(verdict: Verdict) -> None:
    """Prints one figure with its budget, and where the time goes."""
    figure, budget = verdict.figure, verdict.budget
    mark = click.style("ok  ", fg="green") if verdict.passed else click.style("SLOW", fg="red", bold=True)
    line = f"{mark} {figure.name:<22} {figure.value:>12,.6g} {figure.unit:<16}"
    if budget is not None:
        sign = ">=" if budget.better == "higher" else "<="
        line += f" budget {sign} {budget.budget:,.6g}"
    if budget is not None and budget.target is not None:
        line += f", target {sign} {budget.target:,.6g} ({verdict.of_target:.2f} of it)"
    click.echo(line)
    if figure.parts:
        click.echo("     " + ", ".join(f"{part} {value:g}" for part, value in figure.parts.items()))


if __name__ == "__main__":
    main()
