"""What the objects of all kinds share: metadata, the types of fields, and the declaration of a kind.

The kinds themselves are in master/api/kinds. This package imports nothing else of the master, because the cache imports
it and the API imports the cache.
"""
