"""The terms that every package shares, expanded."""

NAMESPACE = "https://w3id.org/yunmeng/"

DIVISION = NAMESPACE + "division"
"""The GB/T 2260 code of where an entity is."""

SYNTHETIC = NAMESPACE + "synthetic"
"""True on everything that a generator made up."""

SOURCE = "https://smartdatamodels.org/source"
"""Where a value or an entity was taken from (Smart Data Models, common schema)."""

QUALITY = NAMESPACE + "quality"
"""How far an observed value can be trusted."""
