"""Runs the tests and the figures of a checkout: installs what they need, starts the tiers side by side."""
