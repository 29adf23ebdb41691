import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.converged.water.register import Reach, river_graph
from yunmeng.kernel.base import BadInput

# a and b meet in c; c runs to d straight and by e; f and g lie apart
GRAPH = river_graph(
    "abcdefg",
    [
        Reach("a", "c", 10, 2),
        Reach("b", "c", 5, 1),
        Reach("c", "d", 30, 9),
        Reach("c", "e", 10, 2),
        Reach("e", "d", 15, 3),
        Reach("f", "g"),
    ],
)


def test_who_is_upstream_and_downstream():
    assert set(GRAPH.upstream("d")) == {"a", "b", "c", "e"}
    assert GRAPH.downstream("a") == ("c", "e", "d")
    assert GRAPH.upstream("a") == ()
    assert GRAPH.inlets("c") == ("a", "b")
    assert set(GRAPH.outlets("c")) == {"d", "e"}


def test_the_quickest_way():
    assert GRAPH.way("a", "d") == (35.0, 7.0)
    assert GRAPH.way("d", "d") == (0.0, 0.0)
    with pytest.raises(BadInput, match="does not reach"):
        GRAPH.way("d", "a")


def test_parts():
    assert GRAPH.disconnected() == (("f", "g"),)
    assert len(set(GRAPH.parts[:5])) == 1


def test_a_circle_is_named():
    with pytest.raises(BadInput) as caught:
        river_graph("xabc", [Reach("x", "a"), Reach("a", "b"), Reach("b", "c"), Reach("c", "a")])
    assert caught.value.key == "river.cycle"
    assert caught.value.facts == {"path": "a → b → c → a", "nodes": 3}


@pytest.mark.parametrize(
    ("ids", "reaches", "key"),
    [
        ("aba", [], "river.twice"),
        ("ab", [Reach("a", "z")], "river.unknown"),
        ("ab", [Reach("a", "b", -1)], "river.reach"),
        ("ab", [Reach("a", "b", 1, float("nan"))], "river.reach"),
        ("a", [Reach("a", "a")], "river.cycle"),
    ],
)
def test_bad_rivers(ids, reaches, key):
    with pytest.raises(BadInput) as caught:
        river_graph(ids, reaches)
    assert caught.value.key == key


def test_dispatch_wants_one_way_down():
    with pytest.raises(BadInput) as caught:
        GRAPH.tree()
    assert (caught.value.key, caught.value.facts["id"]) == ("river.forked", "c")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=80), st.randoms())
def test_every_order_runs_downhill(pairs, shuffle):
    names = [f"n{place}" for place in range(31)]
    heights = list(range(31))
    shuffle.shuffle(heights)
    reaches = [Reach(f"n{a}", f"n{b}") for a, b in pairs if heights[a] > heights[b]]
    graph = river_graph(names, reaches)
    assert sorted(graph.order.tolist()) == list(range(31))
    assert (graph.rank[graph.upper] < graph.rank[graph.lower]).all()


def test_ten_thousand_nodes():
    below = np.arange(1, 10_000) // 2
    graph = river_graph(
        map(str, range(10_000)),
        [Reach(str(node + 1), str(lower), 1, 2) for node, lower in enumerate(below.tolist())],
    )
    assert len(graph.upstream("0")) == 9_999
    assert graph.way("9999", "0") == (14.0, 28.0)
    assert graph.disconnected() == ()
