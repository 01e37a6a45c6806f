"""The pods on this node: one task per pod, driven by a pure step function."""
