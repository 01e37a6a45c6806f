"""What the master wants of this node: the state at one revision, and its copy on disk."""
