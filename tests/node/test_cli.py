"""The command line without a node: help, tables and JSON, errors in two languages, exit statuses."""

import os
import subprocess
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner
from tests.nodes import YUNMENG, refused, yunmeng

from yunmeng.kernel.base import packages
from yunmeng.node.cli import cli
from yunmeng.node.cli.options import NodeOptions


def run(*arguments: str, **environment: str) -> str:
    result = CliRunner(env=environment).invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(*arguments: str, **environment: str) -> list[dict]:
    return msgspec.json.decode(run(*arguments, "--json", **environment))


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def test_help_groups_every_command() -> None:
    told = run("--help", COLUMNS="120")
    for heading in ("运行", "规划", "数据", "信任", "设置"):
        assert heading in told
    from rich_click import rich_click

    grouped = {name for group in rich_click.COMMAND_GROUPS["yunmeng"] for name in group["commands"]}
    assert grouped == set(cli.commands), "a command stands in no group"


@pytest.mark.parametrize("path", commands(cli), ids=" ".join)
def test_every_command_says_what_it_does(path: tuple[str, ...]) -> None:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert command.help
    assert "Usage" in run(*path, "--help")


@pytest.mark.parametrize(
    ("arguments", "some"),
    [
        (("divisions",), 117),
        (("packages",), len(packages())),
        (("plan", "indicators"), 99),
        (("plan", "systems"), 202),
        (("plan", "coverage"), 202),
        (("jobs", "list"), 1),
    ],
)
def test_lists_are_tables_for_people_and_json_for_programs(arguments: tuple[str, ...], some: int) -> None:
    found = rows(*arguments)
    assert len(found) >= some
    table = run(*arguments, COLUMNS="300")
    key = "code" if arguments == ("divisions",) else "id"
    assert all(str(row[key]) in table for row in found)


def test_lists_can_be_narrowed() -> None:
    wuhan = rows("divisions", "420100")
    assert wuhan[0]["name_zh"] == "武汉市"
    assert {row["parent"] for row in wuhan[1:]} == {"420100"}
    assert {row["kind"] for row in rows("plan", "indicators", "--kind", "约束")} == {"约束"}
    assert {row["section"] for row in rows("plan", "systems", "--section", "3.1")} == {"3.1"}
    with refused("division.unknown"):
        run("divisions", "999999")


def test_jobs_show_their_form() -> None:
    report = next(row for row in rows("jobs", "list") if row["id"] == "plan.report")
    assert [row["name"] for row in report["inputs"]] == ["until"]
    assert "until=instant" in run("jobs", "list", COLUMNS="200")


def test_each_setting_says_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "yunmeng.toml"
    file.write_text('[node]\nname = "east"\ndivision = "420100"\n[http]\nport = 9001\n[bus]\nport = 9002\n')
    arguments = ("config", "show", "--config", str(file), "--set", "http.port=9003", "--profile", "city")
    found = {row["key"]: row for row in rows(*arguments, YUNMENG__BUS__PORT="9004", LC_ALL="en_US.UTF-8")}
    assert (found["node.name"]["value"], found["node.name"]["source"]) == ("east", "file")
    assert str(file) in found["node.name"]["where"]
    assert (found["http.port"]["value"], found["http.port"]["source"]) == ("9003", "command line")
    assert (found["bus.port"]["value"], found["bus.port"]["source"]) == ("9004", "environment")
    assert found["bus.port"]["where"] == "YUNMENG__BUS__PORT"
    assert found["node.tier"]["source"] == "profile"
    assert found["state.engine"]["source"] == "default"
    assert all(row["about"] for row in found.values())


def test_an_unknown_setting_suggests_the_nearest() -> None:
    with refused("settings.unknown") as caught:
        run("config", "show", "--set", "http.prot=1")
    assert "http.port" in str(caught.value.facts)


def test_without_a_node_commands_say_how_to_start_one(tmp_path: Path) -> None:
    for command in (
        ("status",),
        ("entities", "query"),
        ("quarantine", "list"),
        ("jobs", "run", "plan.report"),
        ("accounts", "list"),
        ("accounts", "token", "list"),
    ):
        with refused("node.stopped"):
            run(*command, "--data", str(tmp_path / "none"))
    with refused("audit.no-key"):
        run("audit", "verify", "--data", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_an_error_speaks_both_languages_and_ends_with_status_one(tmp_path: Path) -> None:
    said = yunmeng("status", "--data", str(tmp_path))
    assert said.returncode == 1
    assert said.stdout == ""
    assert "The node does not run" in said.stderr
    assert "没有运行" in said.stderr or "未运行" in said.stderr
    assert "yunmeng up" in said.stderr, "the way out is told"
    assert "Traceback" not in said.stderr


def test_wrong_use_ends_with_status_two() -> None:
    said = yunmeng("divison")
    assert said.returncode == 2
    assert "divison" in said.stderr


def test_a_fault_of_ours_is_short_and_its_traceback_is_kept(tmp_path: Path) -> None:
    fault = "cli.commands['packages'].callback = lambda **options: 1 / 0"
    broken = f"from yunmeng.node.cli import cli, main; {fault}; main()"
    said = subprocess.run(
        [*YUNMENG[:2], broken, "packages"],
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 70
    assert "ZeroDivisionError: division by zero" in said.stderr
    assert "Traceback" not in said.stderr
    [log] = tmp_path.glob("yunmeng-*.log")
    assert log.name in said.stderr
    assert "Traceback" in log.read_text()
    assert oct(log.stat().st_mode & 0o777) == "0o600"


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = subprocess.Popen(
        [*YUNMENG, "plan", "systems", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline() == "[\n"
    command.stdout.close()
    assert command.stderr.read() == ""
    command.stderr.close()
    assert command.wait(60) in (0, 1)


def test_options_travel_to_the_processes_and_the_users_win() -> None:
    options = NodeOptions(Path("a.toml"), "", ("http.port=1",)).with_("http.port=2", "a.b=c", profile="city")
    assert options.arguments() == (
        *("--config", "a.toml", "--profile", "city"),
        *("--set", "http.port=2", "--set", "a.b=c", "--set", "http.port=1"),
    )
    assert options.overrides[-1] == "http.port=1", "the last one counts"
    assert NodeOptions(profile="county").with_(profile="city").profile == "county"
