"""Cluster DNS of one node: a codec, the zone of a cluster as pure data, a forwarder, and servers.

It runs as a process of its own (`python -m netstack.dns`), which imports the standard library only, because each node
pays for its memory. It knows services and endpoints as plain data, and nothing of pods.
"""
