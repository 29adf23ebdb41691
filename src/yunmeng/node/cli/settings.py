"""``yunmeng config``: what is set, and where each value came from."""

import click
from rich_click import RichGroup

from yunmeng.kernel.base import explain
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import as_json, show


@click.group(cls=RichGroup)
def config() -> None:
    """Settings 设置: defaults < profile < yunmeng.toml < YUNMENG__SECTION__KEY < --set section.key=value."""


@config.command("show")
@node_options
@as_json
def show_settings(options: NodeOptions, *, json_: bool) -> None:
    """Shows every setting, its value and where it came from."""
    rows = [
        {
            "key": row.key,
            "value": row.value,
            "source": row.origin.source,
            "where": row.origin.where,
            "about": row.about,
        }
        for row in explain(options.settings(), options.language)
    ]
    columns = (
        ("key", "Setting"),
        ("value", "Value"),
        ("source", "From"),
        ("where", "Where"),
        ("about", "What for"),
    )
    show(rows, columns, json_=json_, styles={"key": "cyan", "about": "dim"})


COMMANDS = (config,)
