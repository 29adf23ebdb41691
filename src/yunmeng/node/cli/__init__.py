"""The command line: ``yunmeng --help``."""

import os
import sys
import tempfile
import traceback

import click
from rich_click import RichGroup, rich_click

from yunmeng import __version__
from yunmeng.kernel.base import Broken, YunmengError
from yunmeng.node.cli import (
    accounts,
    data,
    device_firmware,
    device_work,
    devices,
    entities,
    governance,
    quarantine,
    run,
    sense,
    settings,
)
from yunmeng.node.cli.output import report

rich_click.GROUP_ARGUMENTS_OPTIONS = True
rich_click.COMMAND_GROUPS = {
    "yunmeng": [
        {"name": "Run a node 运行", "commands": ["demo", "up", "broker", "status"]},
        {"name": "Plan 规划", "commands": ["plan", "divisions", "packages"]},
        {"name": "Data 数据", "commands": ["entities", "devices", "sense", "quarantine", "jobs"]},
        {"name": "Trust 信任", "commands": ["accounts", "audit"]},
        {"name": "Settings 设置", "commands": ["config"]},
    ]
}
_OUR_FAULT = 70  # EX_SOFTWARE of sysexits.h


@click.group("yunmeng", cls=RichGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="yunmeng")
def cli() -> None:
    """Yunmeng 云梦: sense 感, transport 传, store 存, compute 算, serve 用, as one system."""


for module in (
    run,
    governance,
    entities,
    devices,
    device_work,
    device_firmware,
    sense,
    quarantine,
    data,
    accounts,
    settings,
):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Runs the command line and ends the process.

    Status 1 is an error that says its way out in both languages, 2 a wrong use of a command or an audit log
    that was altered, 70 a fault of ours whose traceback is kept in a file, 130 an interruption.
    """
    sys.exit(_status())


def _status() -> int:
    try:
        # without standalone mode click returns the status of an Exit
        status = cli(standalone_mode=False)
        sys.stdout.flush()
    except YunmengError as error:
        report(error)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # `yunmeng plan systems | head`: the reader has enough, and the flush at exit must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  (the last edge: told to the person, kept in a file)
        report(Broken("cli.broke", reason=f"{type(error).__name__}: {error}", log=_keep(error)))
        return _OUR_FAULT
    return status if isinstance(status, int) else 0


def _keep(error: Exception) -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="yunmeng-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    return file.name
