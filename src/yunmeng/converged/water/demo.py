"""Synthetic facilities of this package."""

from pathlib import Path

from yunmeng.kernel.sense import Swarm, load_fleets


def generate(seed: int) -> list[Swarm]:
    """Returns the facilities of ``demo.toml``, placed and moving by the seed."""
    return load_fleets(Path(__file__).with_name("demo.toml"), seed)
