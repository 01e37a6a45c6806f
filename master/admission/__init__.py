"""Admission plugins: rules of the cluster for writes that concern more than one object."""
