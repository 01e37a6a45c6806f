"""What the objects of all kinds share: metadata, the types of fields, and indexes.

The kinds themselves are in master/kinds. This package imports nothing else of the master.
"""
