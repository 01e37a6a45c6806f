"""Carries out what probes and hooks do, from the agent's event loop. Knows handlers, not pods."""
