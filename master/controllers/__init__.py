"""What keeps the cluster as it is wanted: each controller watches, compares and calls the API as one of its callers."""
