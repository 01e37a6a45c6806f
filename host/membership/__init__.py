"""This host as a node: joining a cluster, joining again, leaving, and the clean-up without a master."""
