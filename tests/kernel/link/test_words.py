"""Every error of the bus has words in both languages, with the same placeholders."""

import re
import string
import tomllib
from pathlib import Path

import yunmeng.kernel.link

FOLDER = Path(yunmeng.kernel.link.__file__).parent
TABLES = {
    lang: tomllib.loads((FOLDER / "words" / f"{lang}.toml").read_text(encoding="utf-8"))["errors"]
    for lang in ("zh-CN", "en")
}


def test_every_error_has_words_and_every_word_an_error() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*.py"))
    raised = set(re.findall(r'\(\s*"(bus\.[a-z-]+)"', source))
    assert set(TABLES["en"]) == set(TABLES["zh-CN"]) == raised


def test_both_languages_name_the_same_facts() -> None:
    for key, words in TABLES["en"].items():
        assert _facts(words) == _facts(TABLES["zh-CN"][key]), key
        assert words.keys() == TABLES["zh-CN"][key].keys() == {"title", "detail", "remedy"}


def _facts(words: dict[str, str]) -> set[str]:
    return {name for text in words.values() for _, name, _, _ in string.Formatter().parse(text) if name}
