"""Who this node is: its key, its certificate, and how it came by them."""
