"""Response 处置: alerts, and the events that they become; one mechanism for every field."""
