"""Which values are indexed from the start: what tables of types mark, and what a setting names."""

from dataclasses import replace

from yunmeng.kernel.base import Settings
from yunmeng.kernel.model import DEFAULT_VOCAB, NAMESPACE
from yunmeng.node.indexes import wished_indexes
from yunmeng.node.parts import type_library


def wished(text: str) -> frozenset[str]:
    settings = Settings()
    return wished_indexes(replace(settings, state=replace(settings.state, indexed=text)), type_library())


def test_what_the_views_of_a_package_filter_on_is_marked_in_its_table() -> None:
    assert NAMESPACE + "waterLevel" in wished("")
    assert NAMESPACE + "inflow" not in wished("")


def test_a_setting_names_more_by_name_or_uri() -> None:
    more = wished(" inflow, power,https://example.org/pressure ,") - wished("")
    assert more == {NAMESPACE + "inflow", DEFAULT_VOCAB + "power", "https://example.org/pressure"}
