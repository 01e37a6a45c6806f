"""Connections of clients to processes: the channels of Kubernetes' remote command protocol, and their transports."""
