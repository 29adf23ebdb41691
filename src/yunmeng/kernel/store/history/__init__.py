"""The history 存: every value that an attribute ever had; chDB or ClickHouse behind one port."""
