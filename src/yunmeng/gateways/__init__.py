"""Gateways 网关: one folder a field protocol."""
