"""Context sources: their registrations, and operations that are shared with them (§4.3, §5.9 to §5.12)."""
