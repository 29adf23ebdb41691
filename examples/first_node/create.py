"""Makes an entity of one's own and reads it back."""

from client import sign_in

reservoir = {
    "id": "urn:ngsi-ld:Reservoir:tutorial",
    "type": "Reservoir",
    "name": "教程水库",
    "nameEn": "Tutorial reservoir",
    "division": "420106",
    "synthetic": True,
    "floodLimitLevel": {"type": "Property", "value": 25.5, "unitCode": "MTR"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [114.38, 30.55]}},
}

node = sign_in()
answer = node.post("/ngsi-ld/v1/entities", json=reservoir).raise_for_status()
print(answer.status_code, answer.headers["Location"])

found = node.get(f"/ngsi-ld/v1/entities/{reservoir['id']}", params={"options": "keyValues"})
print(found.json()["nameEn"], found.json()["floodLimitLevel"])
