import pytest

from yunmeng.kernel.base import (
    BadInput,
    Broken,
    NotFound,
    catalogue,
    label,
    language,
    problem,
    sentence,
    words,
)


def test_a_problem_in_both_languages():
    error = BadInput("time.naive", time="2026-11-22T04:00:00")
    english, chinese = problem(error, "en"), problem(error)
    assert english.type == chinese.type == "urn:yunmeng:error:time.naive"
    assert english.status == 400
    assert english.title == "Time without an offset"
    assert english.detail == "2026-11-22T04:00:00 does not say which time zone it is in."
    assert "+08:00" in english.remedy
    assert chinese.title == "时间缺少时区"
    assert chinese.key == "time.naive"


def test_an_error_says_its_sentence():
    assert str(BadInput("secret.absent", reference="env:X")) == "env:X leads to no secret."


def test_a_missing_fact_shows_as_a_question_mark():
    assert sentence("time.naive", {}, "en") == "? does not say which time zone it is in."


def test_an_error_without_words_still_says_something():
    assert sentence("no.such", {"a": 1, "b": "x"}, "en") == "no.such (a=1, b=x)"
    found = problem(NotFound("no.such"), "en")
    assert (found.title, found.detail, found.remedy, found.status) == ("no.such", "no.such", "", 404)


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        ("{time.__class__} {0}", "{time.__class__} {0}"),
        ("x" * 1000, "x" * 300 + "…"),
        (["a", 1], "a, 1"),
        (None, "—"),
        ("\u202eabc", "\\u202eabc"),
        ("武汉", "武汉"),
    ],
)
def test_facts_from_outside_are_shown_safely(fact, shown):
    assert sentence("time.naive", {"time": fact}, "en") == f"{shown} does not say which time zone it is in."


@pytest.mark.parametrize(
    ("tag", "ours"),
    [("en", "en"), ("en-GB", "en"), ("EN", "en"), ("zh-Hans", "zh-CN"), ("", "zh-CN"), ("fr", "zh-CN")],
)
def test_languages(tag, ours):
    assert language(tag) == ours


def test_labels():
    assert label("tier.province", "en") == "Province"
    assert label("tier.province") == "省级"
    assert label("settings.http.port", "en") == "Port to listen on; 0 takes a free one"
    assert label("nobody.named.this") == "nobody.named.this"


def test_the_catalogue_holds_labels_and_errors():
    table = catalogue("en")
    assert table["errors.id.bad.title"] == "Not an identifier"
    assert table["tier.city"] == "City"


def write(folder, lang, text):
    file = folder / "words" / f"{lang}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_tables_flatten_and_labels_add_no_prefix(tmp_path):
    text = 'top = "T"\n[labels]\n"a.b" = "1"\n[labels.c]\nd = "2"\n[console.tiles]\npower = "{{p}} {n}"\n'
    file = write(tmp_path, "en", text)
    assert words.read_words(file) == {"top": "T", "a.b": "1", "c.d": "2", "console.tiles.power": "{{p}} {n}"}


@pytest.mark.parametrize("text", ["not toml", "[errors]\nx = 1\n", '[a]\nb = ["c"]\n'])
def test_a_bad_table_names_its_file(tmp_path, text):
    file = write(tmp_path, "en", text)
    with pytest.raises(Broken) as caught:
        words.read_words(file)
    assert caught.value.key == "words.bad"
    assert caught.value.facts["file"] == str(file)
    assert str(file) in str(caught.value)


def test_words_of_a_package_outside_are_merged_but_do_not_replace_ours(tmp_path, install):
    folder = install("rain", 'id = "rain"\n[name]\nzh = "雨"\nen = "Rain"\n')
    write(folder, "en", '[rain]\nfall = "{mm} mm"\n[errors."id.bad"]\ntitle = "hijacked"\n')
    assert sentence("rain.fall", {"mm": 3}, "en") == "3 mm"
    assert problem(BadInput("id.bad"), "en").title == "Not an identifier"


def test_braces_are_kept(install):
    folder = install("rain", 'id = "rain"\n[name]\nzh = "雨"\nen = "Rain"\n')
    write(folder, "en", '[rain]\nset = "{{{n}}} of {{x}}"\n')
    assert sentence("rain.set", {"n": 3}, "en") == "{3} of {x}"


def test_a_broken_package_leaves_our_own_words(install):
    install("rain", "id = 7\n")
    assert problem(BadInput("id.bad", id="x"), "en").title == "Not an identifier"
    with pytest.raises(Broken, match=r"package\.toml"):
        catalogue("en")
