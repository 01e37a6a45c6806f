"""The schema of objects: the tree of their types, and everything that walks it (pruning, defaults, checks).

The syntax of values (names, labels, quantities) and the findings about an object are here too. This package knows no
kind and no HTTP.
"""
