"""What the pages point at is there: links, files, commands."""

import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import rich_click as click

from yunmeng.node.cli import cli

from .conftest import ROOT

LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = ("src/", "tests/", "docs/", "examples/", "benchmarks/", "console/", ".ci/")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_links_resolve(pages: dict[Path, str]) -> None:
    broken: list[str] = []
    for page, text in pages.items():
        for target in LINK.findall(FENCE.sub("", text)):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_named_files_exist(pages: dict[Path, str]) -> None:
    missing: list[str] = []
    for page, text in pages.items():
        for code in CODE.findall(FENCE.sub("", text)):
            path = code.partition("::")[0]
            if path.startswith(FOLDERS) and not set(path) & set("*<>{ ") and not (ROOT / path).exists():
                missing.append(f"{page.relative_to(ROOT)}: {path}")
    assert missing == []


def test_the_walk_through_passes_through_files() -> None:
    text = (ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    named = [code for code in CODE.findall(text) if code.startswith("src/") and code.endswith(".py")]
    assert len(set(named)) >= 15
    for name in re.findall(r"`(\w+)\(\)` in\s+`(src/\S+\.py)`", text):
        function, file = name
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8"), name


def commands_of(body: str) -> list[list[str]]:
    lines = [line.split("#")[0].strip() for line in body.replace("\\\n", " ").splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(("./yunmeng ", "yunmeng "))]


def test_commands_exist(
    blocks: list[tuple[Path, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # some options want a file that exists
    (tmp_path / "audit").mkdir()
    for name in ("checkpoint-of-last-month", "devices.csv", "fw-2.1.0.bin"):
        (tmp_path / name).touch()
    (tmp_path / "examples" / "broker").mkdir(parents=True)
    (tmp_path / "examples" / "broker" / "sensors.csv").touch()
    monkeypatch.chdir(tmp_path)
    found = 0
    for page, lang, body in blocks:
        for arguments in commands_of(body) if lang == "sh" else []:
            if arguments[0] != "test":
                parse(arguments, page)
            found += 1
    assert found >= 10


def parse(arguments: list[str], page: Path) -> None:
    """Parses a command line down to its last command, without running it."""
    command: click.Command | None = cli
    rest = arguments
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(click.Context(command), rest)
        assert command is not None, (page, arguments, name)
    assert command is not None
    try:
        command.make_context(arguments[0], list(rest))
    except click.UsageError as error:
        pytest.fail(f"{page.name}: {' '.join(arguments)}: {error}")


def test_decisions_are_numbered_and_listed(pages: dict[Path, str]) -> None:
    folder = ROOT / "docs" / "decisions"
    names = sorted(file.name for file in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
    listed = pages[folder / "README.md"]
    assert [name for name in names if f"({name})" not in listed] == []
    for name in names:
        text = pages[folder / name]
        for head in ("## Context", "## Choice", "## What we gave up"):
            assert head in text, (name, head)


def test_nothing_names_the_machine(pages: dict[Path, str], build: ModuleType) -> None:
    for page, text in pages.items():
        assert not re.search(r"/(?:work|tmp|root|home)/\w", text), page
