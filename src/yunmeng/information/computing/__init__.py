"""Computing facilities 算力设施: so far its entity types, views and synthetic facilities."""
