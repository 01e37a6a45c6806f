"""The group authentication.k8s.io: who sends a request. Nothing of it is stored."""
