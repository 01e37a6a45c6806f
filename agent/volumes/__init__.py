"""The volumes of the pods on this node: one module for each kind, behind one small Protocol."""
