"""A lab's network: its subnet, the underlay that connects its hosts, and the faults of their cables."""
