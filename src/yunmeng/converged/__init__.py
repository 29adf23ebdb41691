"""Converged infrastructure 新支撑."""
