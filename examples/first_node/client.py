"""A signed-in connection to the demo node; YUNMENG_URL says where it listens."""

import os

import httpx

URL = os.environ.get("YUNMENG_URL", "http://127.0.0.1:8420")
TERMS = (
    f'<{URL}/contexts/yunmeng.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
)


def sign_in(name: str = "admin", password: str = "Jianghan-Plain-2026") -> httpx.Client:
    """Returns a client that carries the session and the terms of the node's entity types."""
    node = httpx.Client(base_url=URL, headers={"Link": TERMS})
    session = node.post("/api/session", json={"name": name, "password": password}).raise_for_status()
    node.headers["X-CSRF-Token"] = session.json()["csrf"]
    return node
