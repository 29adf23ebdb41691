"""The current state of every entity, and the engines that keep it."""
