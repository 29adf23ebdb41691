"""5G network 5G 网络: so far its entity types, views and synthetic facilities."""
