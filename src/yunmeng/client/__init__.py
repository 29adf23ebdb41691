"""A small client of any NGSI-LD broker (ETSI GS CIM 009): plain dicts in, plain dicts out.

::

    from yunmeng.client import Client, geo, prop

    with Client("http://127.0.0.1:1026") as broker:
        broker.upsert({"id": "urn:ngsi-ld:Room:1", "type": "Room", "temperature": prop(21.5, unit="CEL")})
        for room in broker.query("Room", q="temperature>20"):
            print(room["id"], room["temperature"])

:class:`AsyncClient` has the same methods, to be awaited.
"""

from yunmeng.client.asks import BatchOperation, Format, Method
from yunmeng.client.asynchronous import AsyncClient
from yunmeng.client.errors import BatchError, BrokerError, Refused
from yunmeng.client.features import from_features, to_features
from yunmeng.client.synchronous import Client
from yunmeng.client.temporal import Aggregates, Evolution
from yunmeng.client.values import Entity, geo, prop, rel

__all__ = [
    "Aggregates",
    "AsyncClient",
    "BatchError",
    "BatchOperation",
    "BrokerError",
    "Client",
    "Entity",
    "Evolution",
    "Format",
    "Method",
    "Refused",
    "from_features",
    "geo",
    "prop",
    "rel",
    "to_features",
]
