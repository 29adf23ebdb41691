from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import (
    ContextLibrary,
    ScopeAll,
    ScopeAny,
    ScopeIs,
    TypeAll,
    TypeAny,
    TypeIs,
    matches_scopes,
    matches_types,
    parse_scopes,
    parse_types,
)

from .conftest import VOCAB

CORE = ContextLibrary().core


def is_(name: str) -> TypeIs:
    return TypeIs(VOCAB + name)


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("Building", is_("Building")),
        ("Building|House", TypeAny((is_("Building"), is_("House")))),
        ("Building,House", TypeAny((is_("Building"), is_("House")))),
        ("(Home;Vehicle)", TypeAll((is_("Home"), is_("Vehicle")))),
        ("(Home&Vehicle),Motorhome", TypeAny((TypeAll((is_("Home"), is_("Vehicle"))), is_("Motorhome")))),
        ("https://example.org/T", TypeIs("https://example.org/T")),
    ],
)
def test_types(text, selection):
    assert parse_types(text, CORE) == selection


@pytest.mark.parametrize(
    ("text", "types", "found"),
    [
        ("(Home;Vehicle)|Motorhome", ["Home", "Vehicle", "X"], True),
        ("(Home;Vehicle)|Motorhome", ["Home"], False),
        ("(Home;Vehicle)|Motorhome", ["Motorhome"], True),
    ],
)
def test_types_match(text, types, found):
    document = {"type": [VOCAB + name for name in types]}
    assert matches_types(document, parse_types(text, CORE)) is found


def test_scopes():
    assert parse_scopes("(/Madrid/Districts;/CompanyA)|CompanyB") == ScopeAny(
        (ScopeAll((ScopeIs("/Madrid/Districts"), ScopeIs("/CompanyA"))), ScopeIs("/CompanyB"))
    )


@pytest.mark.parametrize(
    ("text", "scopes", "found"),
    [
        ("/Madrid", ["/Madrid"], True),
        ("/Madrid", ["/Madrid/Gardens"], False),
        ("/Madrid/Gardens/#", ["/Madrid/Gardens"], True),
        ("/Madrid/Gardens/#", ["/Madrid/Gardens/ParqueNorte/Parterre1"], True),
        ("/Madrid/Gardens/#", ["/Madrid/GardensX"], False),
        ("/Madrid/+/ParqueNorte", ["/Madrid/Sights/ParqueNorte"], True),
        ("/Madrid/+/ParqueNorte", ["/Madrid/a/b/ParqueNorte"], False),
        ("/#", ["/x"], True),
        ("/#", [], False),
        ("(/Madrid/Districts;/CompanyA)", ["/CompanyA", "/Madrid/Districts"], True),
        ("(/Madrid/Districts;/CompanyA)", ["/CompanyA"], False),
        ("/湖北/#", ["/湖北/武汉"], True),
    ],
)
def test_scopes_match(text, scopes, found):
    document = {"type": [], **({"scope": scopes} if scopes else {})}
    assert matches_scopes(document, parse_scopes(text)) is found


@pytest.mark.parametrize("text", ["", "a|", "(a", "a)", "a b", "()", "a||b", "(" * 50 + "a" + ")" * 50])
def test_bad_selections_say_where(text):
    with pytest.raises(BadInput) as caught:
        parse_types(text, CORE)
    assert caught.value.key == "types.selection"
    with pytest.raises(BadInput):
        parse_scopes(text)


@pytest.mark.parametrize("text", ["/a/#/b", "/1a", "/a//b", "/a#"])
def test_bad_scopes(text):
    with pytest.raises(BadInput):
        parse_scopes(text)


def read(parse: Callable[[], object]) -> str:
    try:
        return repr(parse())
    except BadInput as error:
        return str(error)


@given(st.text("ab,;|&() /+#:", max_size=15))
def test_any_text_is_read_or_refused_with_words(text):
    assert "?" not in read(lambda: parse_types(text, CORE))
    assert "?" not in read(lambda: parse_scopes(text))
