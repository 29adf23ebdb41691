"""Rules: when to raise an alert, as data of the packages (``rules.toml``), judged on every change."""
