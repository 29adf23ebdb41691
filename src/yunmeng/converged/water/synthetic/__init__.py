"""Made-up basins and floods of a province like Hubei: seeded, and marked synthetic in every record."""

from yunmeng.converged.water.synthetic.basins import Basins, basins
from yunmeng.converged.water.synthetic.floods import flood, flood_horizon

__all__ = ["Basins", "basins", "flood", "flood_horizon"]
