"""Nodes for the tests that need a whole one: a shared one for reading and adding, own ones for breaking."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.nodes import Node


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running node of the province, shared: a test may add to it, never stop it or break it."""
    node = Node(tmp_path_factory.mktemp("province") / "data")
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def administrator(province: Node) -> httpx.Client:
    """The administrator of the shared node, with a password of their own."""
    return province.administrator()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running ``yunmeng broker`` without sign-in, shared: a test may add to it, never stop it."""
    node = Node(tmp_path_factory.mktemp("broker") / "data", command="broker")
    node.start()
    yield node
    node.stop()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Starts nodes of the test's own and stops those that still run at its end."""
    nodes: list[Node] = []

    def start(data: Path = tmp_path / "data", *arguments: str, **more: object) -> Node:
        node = Node(data, *arguments, **more)
        nodes.append(node)
        node.start()
        return node

    yield start
    for node in nodes:
        node.stop()
