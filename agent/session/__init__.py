"""The agent's end of the contract: sessions with the master, desired state, reports, streams."""
