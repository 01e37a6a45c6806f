"""A lab's network: its subnet, the underlay between its hosts, and what is wrong with their cables."""
