"""Pods: models, defaults, checks, table, binding and logs."""
