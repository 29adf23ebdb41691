"""Gateways at work, as in the tests of the gateways themselves."""

from tests.gateways.conftest import history_server, house, listening

__all__ = ["history_server", "house", "listening"]
