"""The command line: ``yunmeng --help``."""

import sys

import rich_click as click

from yunmeng import __version__
from yunmeng.kernel.base import YunmengError
from yunmeng.node.cli import data, governance, run, settings
from yunmeng.node.cli.output import report

click.rich_click.GROUP_ARGUMENTS_OPTIONS = True
click.rich_click.COMMAND_GROUPS = {
    "yunmeng": [
        {"name": "Run a node 运行", "commands": ["demo", "up", "status"]},
        {"name": "Plan 规划", "commands": ["plan", "divisions", "packages"]},
        {"name": "Data 数据", "commands": ["entities", "quarantine", "jobs", "audit"]},
        {"name": "Settings 设置", "commands": ["config"]},
    ]
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="yunmeng")
def cli() -> None:
    """Yunmeng 云梦: sense 感, transport 传, store 存, compute 算, serve 用, as one system."""


for module in (run, governance, data, settings):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Runs the command line; an error is told in both languages and ends with status 1."""
    try:
        cli(standalone_mode=False)
    except YunmengError as error:
        report(error)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
