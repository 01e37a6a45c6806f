"""Node ports and host ports on the node's loopback: listening sockets, and the connections that they relay."""
