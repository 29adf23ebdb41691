"""Every installed package: what it declares is there, fits together, and has words in both languages."""

import tomllib
from importlib import import_module

import pytest

from yunmeng.kernel.base import LANGUAGES, Package, packages
from yunmeng.kernel.model import load_types
from yunmeng.node.feed import _terms
from yunmeng.node.parts import type_library
from yunmeng.node.routes import all_routes

DEMOS = [package for package in packages() if package.demo]


def named(target: str) -> object:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("package", packages(), ids=lambda each: each.id)
def test_what_a_package_declares_is_there(package: Package) -> None:
    assert package.name.zh
    assert package.name.en
    library = load_types([package.folder])
    assert set(package.types) <= set(type_library().types)
    if (package.folder / "model").is_dir():
        assert {name for name in package.types if name in library.types} == set(package.types)
    for job in package.jobs:
        assert callable(named(job.run))
    if package.story:
        assert callable(named(package.story))
    assert all(callable(named(each)) for each in package.work)
    if package.routes:
        assert named(package.routes)
        assert {route.path for route in named(package.routes)} <= {route.path for route in all_routes()}


@pytest.mark.parametrize("package", packages(), ids=lambda each: each.id)
def test_types_and_attributes_have_words_in_both_languages(package: Package) -> None:
    for name in package.types:
        kind = type_library().type(name)
        nameless = [row.name for row in kind.attributes if not (row.zh and row.en)]
        assert kind.zh
        assert kind.en
        assert nameless == []


@pytest.mark.parametrize("package", DEMOS, ids=lambda each: each.id)
def test_a_demo_moves_attributes_that_its_types_have(package: Package) -> None:
    swarms = named(package.demo)(42)  # type: ignore[operator]
    assert {swarm.fleet.type for swarm in swarms} & set(package.types)
    for swarm in swarms:
        terms = _terms(type_library().type(swarm.fleet.type))
        batch = swarm.batch(1_763_800_000_000_000, terms)
        assert len(batch) == len(swarm.facilities) * len(swarm.fleet.attributes) > 0
        assert all(series.synthetic for series in batch.series)
        assert set(swarm.fleet.fixed) <= set(terms)
        rows = {row.name: row for row in type_library().type(swarm.fleet.type).attributes}
        for attribute in swarm.fleet.attributes:
            values, row = swarm.values(attribute, 1_763_800_000_000_000), rows[attribute.name]
            assert row.telemetry, attribute.name
            assert row.min is None or values.min() >= row.min, attribute.name
            assert row.max is None or values.max() <= row.max, attribute.name


@pytest.mark.parametrize("package", DEMOS, ids=lambda each: each.id)
def test_views_name_types_and_attributes_that_exist(package: Package) -> None:
    views = tomllib.loads((package.folder / "views.toml").read_text(encoding="utf-8"))
    assert {"layers", "tiles", "charts", "tables"} <= views.keys()
    ids = {kind: {one["id"] for one in views.get(kind, ())} for kind in views}
    known = {"name", "location", *type_library().terms}
    for kind in ("layers", "tiles", "charts", "tables"):
        for one in views[kind]:
            rows = {row.name for row in type_library().type(one["type"]).attributes} | known
            assert {one.get("attribute", "name"), *(c["attribute"] for c in one.get("columns", ()))} <= rows
            assert set(one["title"]) == set(LANGUAGES)
    for tile in views["tiles"]:
        assert tile.get("chart", next(iter(ids["charts"]))) in ids["charts"]
        assert tile.get("table", next(iter(ids["tables"]))) in ids["tables"]
