"""Container engines behind one small Protocol; the only room of the agent that knows Docker."""
