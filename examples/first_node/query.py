"""Asks for entities by condition and by place."""

from client import sign_in

node = sign_in()


def ask(**parameters: str) -> list[dict[str, object]]:
    """Returns the reservoirs that fit, as plain values."""
    answer = node.get(
        "/ngsi-ld/v1/entities", params={"type": "Reservoir", "options": "keyValues", **parameters}
    )
    return answer.raise_for_status().json()


above = ask(q='division=="420106";waterLevel>25.5;waterLevel<30')
print([(entity["id"], entity["waterLevel"]) for entity in above])

near = ask(georel="near;maxDistance==500", geometry="Point", coordinates="[114.38,30.55]")
print([entity["nameEn"] for entity in near])
