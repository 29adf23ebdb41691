"""Noise meters: how loud it is, an alert when it is too loud, and the equivalent level."""
