"""Energy 智慧能源: so far its entity types, views and synthetic facilities."""
