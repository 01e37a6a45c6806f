"""The master's side of the contract with agents: joining, sessions, desired state, reports, log streams."""
