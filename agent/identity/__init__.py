"""The node's identity: its key and certificate, how it gets them by joining, and where they are stored."""
