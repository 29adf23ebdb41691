"""The order of entities (ETSI GS CIM 009 §4.23): its examples, and what is refused."""

import pytest

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import ContextLibrary, Order, OrderKey, Path, parse_order, sorting

from .conftest import VOCAB

CORE = ContextLibrary().core
HERE = {"type": "Point", "coordinates": [8, 40]}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["id"], OrderKey(Path("id"))),
        (["type;desc"], OrderKey(Path("type"), descending=True)),
        (["temperature"], OrderKey(Path(VOCAB + "temperature"))),
        (["temperature.observedAt;asc"], OrderKey(Path(VOCAB + "temperature", ("observedAt",)))),
        (["name.createdAt"], OrderKey(Path(VOCAB + "name", ("createdAt",)))),
        (["address[city]"], OrderKey(Path(VOCAB + "address", (), ("city",)))),
        (["where;dist-asc"], OrderKey(Path(VOCAB + "where"), origin=HERE)),
        (["where;dist-desc"], OrderKey(Path(VOCAB + "where"), descending=True, origin=HERE)),
    ],
)  # fmt: skip
def test_keys(keys: list[str], expected: OrderKey) -> None:
    assert parse_order(keys, CORE, coordinates="[8,40]") == Order((expected,))


@pytest.mark.parametrize(
    ("keys", "more", "error"),
    [
        (["name;up"], {}, "order.key"),
        ([""], {}, "q.name"),
        (["name>1"], {}, "q.end"),
        (["where;dist-asc"], {}, "order.origin"),
        (["where;dist-asc"], {"coordinates": "8,40"}, "order.origin"),
        (["id"], {"geometry": 5}, "order.origin"),
        (["name"], {"language": "!!no"}, "collation.unknown"),
        (["name"], {"language": "sv"}, "collation.unknown"),
        (["name"], {"language": "en-u-co-phonebk"}, "collation.unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_ordered_is_refused(keys: list[str], more: dict[str, object], error: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_order(keys, CORE, **more)  # type: ignore[arg-type]
    assert caught.value.key == error
    assert "?" not in str(caught.value)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("", ["A", "Z", "a", "á", "武汉", "荆州"]),
        ("und", ["10", "a", "A", "á", "b", "Z"]),
        ("de", ["Ähre", "Zebra"]),
        ("de", ["Ober", "Öde", "Odem"]),
        ("de-u-co-phonebk", ["Odem", "Öde", "Ofen"]),
        ("en-GB", ["co-op", "coop", "Coop"]),
        ("zh", ["鄂州", "黄冈", "荆州", "武汉", "宜昌"]),
        ("zh-Hans-CN", ["A", "鄂州"]),
    ],
)  # fmt: skip
def test_languages(language: str, words: list[str]) -> None:
    order = Order((OrderKey(Path(VOCAB + "name")),), language)
    documents = [
        {"id": f"urn:x:{place}", "type": ["T"], VOCAB + "name": [{"type": "Property", "value": word}]}
        for place, word in enumerate(reversed(words))
    ]
    ordered = sorted(documents, key=sorting(order))
    assert [document[VOCAB + "name"][0]["value"] for document in ordered] == words


def test_language_properties_and_times() -> None:
    def named(number: int, **words: str) -> dict[str, object]:
        instance = {
            "type": "LanguageProperty",
            "languageMap": words,
            "observedAt": f"2026-01-0{number}T00:00:00Z",
        }
        return {"id": f"urn:x:{number}", "type": ["T"], VOCAB + "name": [instance]}

    documents = [named(1, en="b", zh="甲"), named(2, en="a"), named(3, en="c")]
    by_english = sorting(Order((OrderKey(Path(VOCAB + "name", (), ("en",))),)))
    assert [one["id"] for one in sorted(documents, key=by_english)] == ["urn:x:2", "urn:x:1", "urn:x:3"]
    latest = sorting(Order((OrderKey(Path(VOCAB + "name", ("observedAt",)), descending=True),)))
    assert [one["id"] for one in sorted(documents, key=latest)] == ["urn:x:3", "urn:x:2", "urn:x:1"]
