"""The node agent: holds a session with the master, runs its pods on Docker, and connects them to the network."""
