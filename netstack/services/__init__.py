"""Cluster IPs and node ports: rules as pure data, and iptables, which writes them into the kernel."""
