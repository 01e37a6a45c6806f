"""The group authorization.k8s.io: what a caller may do. Nothing of it is stored."""
