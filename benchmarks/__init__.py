"""How fast and how small a node is; ``python -m benchmarks`` compares it with the committed budgets."""
