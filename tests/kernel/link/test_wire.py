"""Subjects and headers: any tenant, gateway and principal travels and comes back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.link import wire
from yunmeng.kernel.link.memory import check_durable
from yunmeng.kernel.trust import Principal

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXT)
def test_any_text_travels_as_one_token(text: str) -> None:
    token = wire.encode_token(text)
    assert token
    assert token.isascii()
    assert not set(token) & set(".*> \t\r\n")
    assert wire.decode_token(token) == text


@given(TEXT, TEXT)
def test_different_texts_have_different_tokens(one: str, other: str) -> None:
    assert (wire.encode_token(one) == wire.encode_token(other)) == (one == other)


def test_the_default_tenant_is_an_underscore_and_no_tenant_can_pose_as_it() -> None:
    assert wire.obs_subject("", "mqtt") == "obs._.mqtt"
    assert wire.obs_subject("_", "mqtt") == "obs.=5F.mqtt"
    assert wire.entity_changes_subject("水利") == "chg.entity.=E6=B0=B4=E5=88=A9"


def test_subjects_are_read_back() -> None:
    assert wire.subject_tokens(wire.obs_subject("水利厅", "mqtt.1")) == ("obs", "水利厅", "mqtt.1")
    assert wire.subject_tokens(wire.observed_subject("")) == ("chg", "observed", "")
    assert wire.subject_tokens(wire.alert_subject("a", "flood")) == ("alr", "a", "flood")
    assert wire.subject_tokens(wire.command_subject("a", "urn:x:1")) == ("cmd", "a", "urn:x:1")
    assert wire.subject_tokens(wire.audit_subject("sign-in")) == ("aud", "sign-in")


@pytest.mark.parametrize("token", ["=", "=5", "=ZZ", "=FF", "=41", "a=2E=", "%41", "a b"])
def test_what_was_never_written_is_refused(token: str) -> None:
    with pytest.raises(BadInput) as refusal:
        wire.decode_token(token)
    assert refusal.value.key == "bus.bad-subject"


@pytest.mark.parametrize(
    ("pattern", "subject", "falls"),
    [
        ("a.>", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*.c", "a.b.c", True),
        ("a.b", "a.b", True),
        ("a.b", "a.bc", False),
        ("a.b.c", "a.b", False),
    ],
)
def test_patterns(pattern: str, subject: str, falls: bool) -> None:
    assert wire.subject_matches(pattern, subject) is falls


@given(st.builds(Principal, id=TEXT, tenant=TEXT, roles=st.tuples(TEXT), clearance=st.integers(1, 4)))
def test_any_principal_travels_in_one_header_line(principal: Principal) -> None:
    header = wire.encode_principal(principal)
    assert not set(header) & set("\r\n\0")
    assert header == header.strip()
    assert wire.decode_principal(header.encode().decode()) == principal


def test_no_principal_is_nobody_and_a_damaged_one_is_refused() -> None:
    assert wire.decode_principal("").kind == "anonymous"
    for header in ("{", "[]", '{"id":1}', "x"):
        with pytest.raises(BadInput) as refusal:
            wire.decode_principal(header)
        assert refusal.value.key == "bus.bad-principal"


def test_durable_names() -> None:
    check_durable("keeper-1_a")
    with pytest.raises(BadInput):
        check_durable("keeper.1")
