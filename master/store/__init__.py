"""The revisioned key space in which everything that must survive a crash lives."""
