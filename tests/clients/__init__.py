"""Unmodified clients against a master on loopback: `sampan test clients`. A test skips what is missing."""
