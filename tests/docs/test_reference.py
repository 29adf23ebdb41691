"""The reference is what the code says, and leaves nothing out; the READMEs' figure is the command's."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest
from click.testing import CliRunner

from yunmeng.kernel.base.sections import Sections
from yunmeng.node.cli import cli
from yunmeng.node.routes import all_routes

from .conftest import ROOT

SOURCE = ROOT / "src" / "yunmeng"


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def test_nothing_is_stale(build: ModuleType) -> None:
    stale = [str(path.relative_to(ROOT)) for path, _ in build.stale_files()]
    assert stale == [], "run `python docs/build.py`"


def test_a_change_makes_a_page_stale(build: ModuleType) -> None:
    text = "<!-- figure: coverage -->999 / 202<!-- end -->\n<!-- include: examples/library.out -->\n"
    filled = build.filled(text)
    assert "999" not in filled
    assert (ROOT / "examples" / "library.out").read_text(encoding="utf-8") in filled
    assert build.filled(filled) == filled


def test_every_setting() -> None:
    text = page("settings.md")
    named = {"contexts": "url", "gateways": "name", "schedule": "job"}
    hints = {name: kind for name, kind in get_type_hints(Sections).items() if name not in named}
    keys = [f"`{section}.{each.name}`" for section, kind in hints.items() for each in fields(kind)]
    keys += [f"`{section}.<{key}>`" for section, key in named.items()]
    assert len(keys) > 20
    assert [key for key in keys if key not in text] == []


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_every_error(lang: str) -> None:
    text = page("errors.md")
    for file in sorted(SOURCE.rglob(f"words/{lang}.toml")):
        for key, words in tomllib.loads(file.read_text(encoding="utf-8")).get("errors", {}).items():
            row = re.search(rf"^\| `{re.escape(key)}` \| (\S[^|]*) \|.*$", text, re.MULTILINE)
            assert row, key
            assert words["title"] in row[0]


def test_every_entity_type() -> None:
    english, chinese = page("entity-types.md"), page("entity-types.zh-CN.md")
    names: list[str] = []
    for file in (*SOURCE.glob("*/*/model/*.toml"), SOURCE / "kernel" / "model" / "types" / "core.toml"):
        for type_ in tomllib.loads(file.read_text(encoding="utf-8")).get("types", []):
            names.append(type_["name"])
            assert f"## {type_['name']} {type_['en']}" in english
            assert f"## {type_['name']} {type_['zh']}" in chinese
    assert "Reservoir" in names


def test_every_route() -> None:
    text = page("routes.md")
    for route in all_routes():
        assert f"| {route.method} | `{route.path}` | `{route.action}` |" in text


def test_every_command() -> None:
    text = page("commands.md")
    for name in cli.commands:
        assert re.search(rf"^##+ yunmeng {name}$", text, re.MULTILINE), name


def test_every_budget() -> None:
    text = page("speed.md")
    for name in tomllib.loads((ROOT / "benchmarks" / "budgets.toml").read_text(encoding="utf-8")):
        described = re.search(rf"^\| `{re.escape(name)}` \| [^|\s]", text, re.MULTILINE)
        assert described, f"describe {name} in docs/reference_speed.py"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_figure_of_coverage(name: str) -> None:
    rows = json.loads(CliRunner().invoke(cli, ["plan", "coverage", "--json"]).stdout)
    done = sum(row["state"] in ("claimed", "passed") for row in rows)
    text = (ROOT / Path(name)).read_text(encoding="utf-8")
    assert f"<!-- figure: coverage -->{done} / {len(rows)}<!-- end -->" in text
