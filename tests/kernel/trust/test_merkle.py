"""The tree against known roots and proofs, and against the definition of RFC 9162 written out plainly."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.trust import merkle

# The eight entries and the roots that implementations of RFC 6962 have shared as test data since 2013.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}


def plain_root(entries):
    """MTH of RFC 9162 §2.1.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return sha256(b"\x01" + plain_root(entries[:k]) + plain_root(entries[k:])).digest()


def hashes_of(entries):
    return lambda start, end: plain_root(entries[start:end])


def numbered(count):
    return [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size):
    assert merkle.tree_root(map(merkle.leaf_hash, ENTRIES[:size])).hex() == ROOTS[size]


@pytest.mark.parametrize(("place", "path"), PATHS.items())
def test_known_paths(place, path):
    index, size = place
    assert [part.hex() for part in merkle.inclusion_path(index, size, hashes_of(ENTRIES))] == path


def test_known_consistency():
    found = [part.hex() for part in merkle.consistency_path(6, 8, hashes_of(ENTRIES))]
    assert found == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_the_root_is_as_defined(entries):
    assert merkle.tree_root(map(merkle.leaf_hash, entries)) == plain_root(entries)


sizes = st.integers(1, 80).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))


@given(sizes)
def test_every_inclusion_is_proved(place):
    index, size = place
    entries = numbered(size)
    path = merkle.inclusion_path(index, size, hashes_of(entries))
    root = plain_root(entries)
    assert merkle.proves_inclusion(merkle.leaf_hash(entries[index]), index, size, path, root)


@given(sizes, st.data())
def test_no_other_inclusion_is_proved(place, data):
    index, size = place
    entries = numbered(size)
    path = merkle.inclusion_path(index, size, hashes_of(entries))
    leaf, root = merkle.leaf_hash(entries[index]), plain_root(entries)
    other = data.draw(st.integers(-1, size + 1).filter(lambda number: number != index))
    assert not merkle.proves_inclusion(leaf, other, size, path, root)
    assert not merkle.proves_inclusion(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not merkle.proves_inclusion(leaf, index, size, [*path, root], root)
    if path:
        assert not merkle.proves_inclusion(leaf, index, size, path[:-1], root)
        broken = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:broken], sha256(path[broken]).digest(), *path[broken + 1 :]]
        assert not merkle.proves_inclusion(leaf, index, size, changed, root)


ages = st.integers(0, 80).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))


@given(ages)
def test_every_growth_is_proved(age):
    old, size = age
    entries = numbered(size)
    path = merkle.consistency_path(old, size, hashes_of(entries))
    assert merkle.proves_consistency(old, plain_root(entries[:old]), size, plain_root(entries), path)


@given(ages.filter(lambda age: age[0] > 0), st.data())
def test_no_rewriting_is_proved(age, data):
    old, size = age
    entries = numbered(size)
    altered = data.draw(st.integers(0, old - 1))
    rewritten = [*entries[:altered], b"other", *entries[altered + 1 :]]
    before, root = plain_root(entries[:old]), plain_root(rewritten)
    path = merkle.consistency_path(old, size, hashes_of(rewritten))
    assert not merkle.proves_consistency(old, before, size, root, path)
    longer = [*merkle.consistency_path(old, size, hashes_of(entries)), before]
    assert not merkle.proves_consistency(old, before, size, plain_root(entries), longer)


def test_nothing_is_proved_about_the_future():
    root = plain_root(ENTRIES)
    assert not merkle.proves_consistency(9, root, 8, root, [])
    assert not merkle.proves_consistency(-1, root, 8, root, [])
    assert not merkle.proves_consistency(0, root, 8, root, [])
    assert not merkle.proves_consistency(8, root, 8, root, [root])
    assert not merkle.proves_consistency(3, plain_root(ENTRIES[:3]), 8, root, [])
