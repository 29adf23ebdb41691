"""Water 智慧水利: so far its entity types, views and synthetic facilities."""
