"""The keeper: the single writer of a node (DESIGN §4)."""
