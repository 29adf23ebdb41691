"""Asks to be told when a level passes 100 m, lets one pass it, and prints what arrives."""

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

from place import connect

from yunmeng.client import prop

GAUGE = "urn:ngsi-ld:Reservoir:east-lake"


class Receiver(BaseHTTPRequestHandler):
    """What a subscriber runs: it takes a POST and answers 200."""

    def do_POST(self) -> None:
        """Prints the entities of a notification."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for entity in told["data"]:
            print(f"alarm: {entity['nameEn']} at {entity['waterLevel']} m")
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing about each request."""


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
receiver.timeout = 20

with connect() as broker:
    subscription = broker.subscribe(
        f"http://127.0.0.1:{receiver.server_port}/alarm",
        "Reservoir",
        id=GAUGE,
        watched="waterLevel",
        q="waterLevel>100",
    )
    broker.update(GAUGE, {"waterLevel": prop(100.4, unit="MTR", at=datetime.now(UTC))})
    receiver.handle_request()
    broker.unsubscribe(subscription)
