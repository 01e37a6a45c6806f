"""Names that the first release looks for in every later one; the code is in `host`."""
