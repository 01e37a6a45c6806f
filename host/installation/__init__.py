"""Installing, upgrading and uninstalling on this host, by the bare Python of the distribution."""
