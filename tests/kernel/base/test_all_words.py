"""The words of the whole tree: complete in both languages, defined once, and fitting what the code raises."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import yunmeng
from yunmeng.kernel.base import LANGUAGES, YunmengError, words

SOURCE = Path(yunmeng.__file__).parent
ERRORS = {kind.__name__ for kind in YunmengError.__subclasses__()}
FIELD = re.compile(r"(?<!\{)\{(\w+)\}")


def tables(lang):
    return [(file, words.read_words(file)) for file in words.word_files([SOURCE], lang)]


def texts(lang):
    return {key: text for _, table in tables(lang) for key, text in table.items()}


def raised():
    """Yields where, key and facts (None when they are not all literal) of every error that the code names."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                key, facts = named(node)
                if key:
                    yield f"{file.relative_to(SOURCE)}:{node.lineno}", key, facts


def named(call):
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    keywords = {each.arg: each.value for each in call.keywords}
    if name in ERRORS and call.args and isinstance(call.args[0], ast.Constant):
        return call.args[0].value, None if None in keywords else set(keywords)
    error = keywords.get("error")
    if name == "Outcome" and isinstance(error, ast.Constant) and error.value:
        return error.value, None
    return "", None


def test_each_table_has_its_twin():
    for lang in LANGUAGES:
        for file, table in tables(lang):
            for other in LANGUAGES:
                twin = file.with_name(f"{other}.toml")
                assert twin.exists(), f"{twin} is missing"
                assert table.keys() == words.read_words(twin).keys(), f"{file} and {twin} differ"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_key_is_defined_twice_and_no_error_is_empty(lang):
    count = Counter(key for _, table in tables(lang) for key in table)
    assert [key for key, times in count.items() if times > 1] == []
    # a label may be empty: English has no measure words
    assert [key for key, text in texts(lang).items() if key.startswith("errors.") and not text.strip()] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_error_that_is_raised_has_words(lang):
    known = texts(lang)
    found = list(raised())
    assert len(found) > 20
    wanted = {key: where for where, key, _ in found}
    missing = [
        f"{key} ({where})"
        for key, where in sorted(wanted.items())
        if not {f"errors.{key}.title", f"errors.{key}.detail"} <= known.keys()
    ]
    assert not missing, "no words for\n" + "\n".join(missing)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_fact_that_the_words_want_is_given(lang):
    known = texts(lang)
    wrong = {
        f"{where} raises {key} without {name}"
        for where, key, facts in raised()
        if facts is not None
        for part in ("title", "detail", "remedy")
        for name in FIELD.findall(known.get(f"errors.{key}.{part}", ""))
        if name not in facts
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_both_languages_use_the_same_facts():
    chinese, english = (texts(lang) for lang in LANGUAGES)
    differing = [
        key for key in chinese if set(FIELD.findall(chinese[key])) != set(FIELD.findall(english[key]))
    ]
    assert differing == []
