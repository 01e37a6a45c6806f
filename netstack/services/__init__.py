"""Cluster IPs and node ports: rules as pure data, and the iptables that puts them into the kernel."""
