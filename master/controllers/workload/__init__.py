"""What the controllers that make pods share: which pods they own, which to delete first, creating them, the status."""
