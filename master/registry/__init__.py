"""What the API serves: resources with their versions, rules, tables and subresources, and the registry that holds them.

This package declares and contains no kind. The kinds are in master/kinds; the pipeline and REST in master/api use them
only through the types of this package.
"""
