"""A small REST client for a Kubernetes API server: kubeconfig, TLS, verbs, watch, discovery, apply.

Synchronous, one connection pool a client. It knows the API's conventions and no kind: objects are plain JSON
documents, and kinds are learnt by discovery. Imports nothing else of the project.
"""
