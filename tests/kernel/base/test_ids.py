import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput, check_urn, make_urn

parts = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=3)


@given(parts)
def test_every_made_urn_is_sound_and_ascii(texts):
    urn = make_urn("Reservoir", *texts)
    assert check_urn(urn) == urn
    assert urn.isascii()
    assert urn.startswith("urn:ngsi-ld:Reservoir:")


@given(parts, parts)
def test_different_parts_give_different_urns(one, other):
    assert (make_urn("Meter", *one) == make_urn("Meter", *other)) == (one == other)


@given(st.text(st.characters(exclude_characters="%"), max_size=60))
def test_whatever_is_checked_is_returned_whole_or_refused(text):
    try:
        taken = check_urn(text)
    except BadInput as error:
        taken = error.key
    assert taken == "id.bad" or (taken == text and text.isascii() and text.isprintable())


def test_plain_parts_stay_readable():
    assert make_urn("Meter", "420106", "0001") == "urn:ngsi-ld:Meter:420106:0001"
    assert make_urn("Station", "武昌 1:2") == "urn:ngsi-ld:Station:%E6%AD%A6%E6%98%8C%201%3A2"


@pytest.mark.parametrize(
    "text",
    [
        "urn:ngsi-ld:Vehicle:A4567",
        "urn:ngsi-ld:Building:a/b@c;d=1",
        "URN:ISBN:0451450523",
        "urn:example:a123,z456?+res?=query#frag",
        "https://example.org/things/1?x=1#y",
        "did:example:123",
    ],
)
def test_sound_identifiers(text):
    assert check_urn(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no-scheme",
        "urn:ngsi-ld:Vehicle:A 1",
        "urn:ngsi-ld:Vehicle:A\n",
        "urn:ngsi-ld:Vehicle:\x00",
        "urn:ngsi-ld:Vehicle:\u202eA",
        "urn:ngsi-ld:车辆:1",
        "urn:x:1",
        "urn:ngsi-ld:",
        "urn:ngsi-ld:/a",
        "urn:-a:b",
        "urn:ngsi-ld:%zz",
        "1urn:a:b",
        "urn:ngsi-ld:" + "a" * 2000,
        7,
        None,
        ["urn:ngsi-ld:A:1"],
    ],
)
def test_unsound_identifiers_are_refused(text):
    with pytest.raises(BadInput) as caught:
        check_urn(text)
    assert caught.value.key == "id.bad"


@pytest.mark.parametrize(
    ("kind", "texts"), [("", ["a"]), ("A B", ["a"]), ("A", []), ("A", ["a", ""]), ("A", ["\ud800"])]
)
def test_a_urn_is_not_made_of_nothing(kind, texts):
    with pytest.raises(BadInput, match="not a URI"):
        make_urn(kind, *texts)


def test_a_lone_surrogate_is_refused():
    with pytest.raises(BadInput, match="not a URI"):
        make_urn("A", "\ud800")


def test_errors_cross_processes_with_their_facts():
    error = pickle.loads(pickle.dumps(BadInput("settings.unknown", key="a", nearest="b", where="c")))
    assert (type(error), error.key, error.facts) == (
        BadInput,
        "settings.unknown",
        {"key": "a", "nearest": "b", "where": "c"},
    )
