"""What the objects of all kinds share: metadata, the values that fields hold, and the declaration of a kind.

The kinds themselves are in master/api/kinds. Imports nothing else of the master, because the cache stands on this room
and the API stands on the cache.
"""
