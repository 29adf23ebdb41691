import asyncio

from yunmeng.kernel.base import convert, division, packages
from yunmeng.kernel.model import ContextLibrary, expand_entity, load_types, matches, parse_q

types = load_types(package.folder for package in packages())
terms = asyncio.run(ContextLibrary().resolve(types.context()))
level = {"id": "urn:ngsi-ld:Reservoir:1", "type": "Reservoir", "division": "420106", "waterLevel": 25.6}
print(division("420106").name_zh, f"{convert(25.6, 'MTR', 'FOT'):.1f} ft")
print(matches(expand_entity(level, terms), parse_q("waterLevel>25.5", terms)))
