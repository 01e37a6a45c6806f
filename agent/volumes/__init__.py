"""Volumes of pods on this node, behind one small Protocol."""
