"""Service 用: NGSI-LD and the node's other HTTP APIs."""
