"""Pods on this node: one task each, driven by a pure step function."""
