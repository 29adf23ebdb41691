"""Reads the temporal evolution of an attribute: the values, then one aggregate over them."""

from client import sign_in

node = sign_in()
address = "/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Reservoir:tutorial"
window = {"attrs": "waterLevel", "timerel": "after", "timeAt": "2026-01-01T00:00:00Z"}

values = node.get(address, params={**window, "lastN": "5", "options": "temporalValues"}).raise_for_status()
print([value for value, _ in values.json()["waterLevel"]["values"]])

summed_up = {**window, "options": "aggregatedValues", "aggrMethods": "min,max,totalCount"}
methods = node.get(address, params=summed_up).raise_for_status().json()["waterLevel"]
print({name: methods[name][0][0] for name in ("min", "max", "totalCount")})
