"""The kernel: the chain 感—传—存—算—用 that every package stands on. Import from its sub-packages."""
