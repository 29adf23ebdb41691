"""Where the node of this tutorial is, and how a program signs in there; YUNMENG_URL may say another place."""

import os

from yunmeng.client import Client

URL = os.environ.get("YUNMENG_URL", "http://127.0.0.1:8420")


def connect() -> Client:
    """Returns a signed-in client that uses the names of the node's own entity types."""
    broker = Client(URL, context=f"{URL}/contexts/yunmeng.jsonld")
    broker.sign_in("admin", "Jianghan-Plain-2026")
    return broker
