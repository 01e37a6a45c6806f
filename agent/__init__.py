"""The node agent: session with the master, pods, runtime, volumes, status."""
