"""Made-up basins and floods of a province like Hubei: seeded, and marked synthetic in every record."""

from yunmeng.converged.water.synthetic.basins import Basins, basins
from yunmeng.converged.water.synthetic.floods import flood, flood_horizon
from yunmeng.converged.water.synthetic.wet_spell import WetSpell, at_hour, coming_rain, wet_spell

__all__ = [
    "Basins",
    "WetSpell",
    "at_hour",
    "basins",
    "coming_rain",
    "flood",
    "flood_horizon",
    "wet_spell",
]
