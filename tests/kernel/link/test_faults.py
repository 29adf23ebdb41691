"""Errors that cross the bus."""

from datetime import UTC, datetime

from yunmeng.kernel.base import BadInput, NotFound, Unavailable, YunmengError
from yunmeng.kernel.link.faults import decode_fault, encode_fault


class Special(BadInput):
    """A class that a package adds."""


def test_class_key_and_facts_travel() -> None:
    for kind in (NotFound, Unavailable, Special, YunmengError):
        error = decode_fault(encode_fault(kind("entity.unknown", id="urn:水", n=3, missing=None)))
        assert type(error) is kind
        assert (error.key, error.facts) == ("entity.unknown", {"id": "urn:水", "n": 3, "missing": None})


def test_facts_that_json_lacks_travel_as_text() -> None:
    error = decode_fault(encode_fault(BadInput("time.bad", path=object, at=datetime(2026, 1, 1, tzinfo=UTC))))
    assert error.facts == {"path": "<class 'object'>", "at": "2026-01-01T00:00:00Z"}


def test_a_class_of_a_newer_node_becomes_the_root_class() -> None:
    error = decode_fault(b'{"kind":"Later","key":"x.y","facts":{}}')
    assert type(error) is YunmengError
    assert error.key == "x.y"
