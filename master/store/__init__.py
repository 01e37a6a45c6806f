"""The store: a key space with revisions, for all data that must survive a crash."""
