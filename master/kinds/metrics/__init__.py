"""The group metrics.k8s.io: what nodes and pods use. Nothing of it is stored."""
