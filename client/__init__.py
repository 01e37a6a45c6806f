"""A small REST client for a Kubernetes API server: kubeconfig, TLS, verbs, watch, discovery, apply.

It is synchronous, with one connection pool for each client. It knows the conventions of the API but no kinds: objects
are plain JSON documents, and it discovers kinds from the server. It imports nothing else of the project.
"""
