"""Subscribes to the flood-limit level of a reservoir, changes it, and prints the notification."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from client import sign_in

told: list[dict[str, object]] = []


class Receiver(BaseHTTPRequestHandler):
    """What a subscriber runs: it takes a POST and answers 200."""

    def do_POST(self) -> None:
        """Keeps the notification."""
        told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing about each request."""


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
receiver.timeout = 20

node = sign_in()
subscription = {
    "type": "Subscription",
    "entities": [{"type": "Reservoir", "id": "urn:ngsi-ld:Reservoir:tutorial"}],
    "watchedAttributes": ["floodLimitLevel"],
    "notification": {
        "format": "keyValues",
        "endpoint": {"uri": f"http://127.0.0.1:{receiver.server_port}/told", "accept": "application/json"},
    },
}
address = node.post("/ngsi-ld/v1/subscriptions", json=subscription).raise_for_status().headers["Location"]

change = {"floodLimitLevel": {"type": "Property", "value": 26.0, "unitCode": "MTR"}}
node.patch("/ngsi-ld/v1/entities/urn:ngsi-ld:Reservoir:tutorial/attrs", json=change).raise_for_status()

receiver.handle_request()
for entity in told[0]["data"]:
    print(told[0]["type"], entity["id"], entity["floodLimitLevel"])
node.delete(address).raise_for_status()
