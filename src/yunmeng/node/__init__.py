"""The node: a profile wired into running processes, and the command line."""
