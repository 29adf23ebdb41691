"""Every word that the pages ask for is there, in both languages."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "src/yunmeng/console/words"
_ASKED = re.compile(r"\bt\(\s*'([a-z0-9.-]+)'")
_BUILT = re.compile(r"\bt\(\s*`([a-z0-9.-]+)\.\$\{")


def table(language: str) -> dict[str, Any]:
    return tomllib.loads((WORDS / f"{language}.toml").read_text(encoding="utf-8"))


def flat(tables: dict[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in tables.items():
        found |= flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "console/src").rglob("*.ts*"))


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_pages_ask_for_words_that_are_there(language: str) -> None:
    words = flat(table(language)["console"])
    asked = set(_ASKED.findall(source()))
    assert len(asked) > 80
    assert sorted(asked - words.keys()) == []
    for prefix in set(_BUILT.findall(source())):
        assert any(key.startswith(f"{prefix}.") for key in words), prefix


def test_both_languages_say_the_same_things_with_the_same_facts() -> None:
    zh, en = flat(table("zh-CN")), flat(table("en"))
    assert zh.keys() == en.keys()
    for key, text in zh.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", en[key])), key
