"""Services: models, defaults, checks, and the allocation of cluster IPs and node ports."""
