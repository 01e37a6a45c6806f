"""`sampan report`: a cluster's versions, objects, logs and rules in one file, for a bug report, without its secrets."""
