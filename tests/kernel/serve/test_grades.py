"""Classified attributes: closed above the clearance, noted when revealed, never told by a query."""



TABLE = """
[[types]]
name = "Vault"
zh = "金库"
en = "Vault"
uri = "https://w3id.org/yunmeng/Vault"

[[types.attributes]]
name = "guard"
zh = "守卫"
en = "Guard"
datatype = "text"
grade = 3
"""
GUARD = "https://w3id.org/yunmeng/guard"
VAULT = "/ngsi-ld/v1/entities/urn:ngsi-ld:Vault:1"
