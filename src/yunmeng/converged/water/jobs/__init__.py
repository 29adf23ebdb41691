"""Jobs 任务 of the water package; ``package.toml`` names their functions."""
