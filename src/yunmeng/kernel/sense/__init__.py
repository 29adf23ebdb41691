"""Sensing 感: what everything that brings observations shares."""

from yunmeng.kernel.sense.packer import Packer
from yunmeng.kernel.sense.synthetic import Fleet, FleetAttribute, Swarm, load_fleets

__all__ = ["Fleet", "FleetAttribute", "Packer", "Swarm", "load_fleets"]
