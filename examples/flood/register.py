"""Takes the register in: reservoirs, a rain gauge, and the place downstream that must not be flooded."""

from pathlib import Path

from office import LOWER, get, node

for name, type_ in (
    ("points", "FloodControlPoint"),
    ("reservoirs", "Reservoir"),
    ("gauges", "HydrologicalStation"),
):
    table = Path(__file__).with_name(f"{name}.csv").read_bytes()
    said = node.post(
        "/api/water/register", params={"type": type_}, content=table, headers={"Content-Type": "text/csv"}
    )
    print(type_, said.raise_for_status().json())

for above in get(f"/api/water/rivers/{LOWER}")["upstream"]:
    print(f"{above['hours']:.0f} h above the lower reservoir: {above['id']}")
