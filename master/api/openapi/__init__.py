"""OpenAPI: the resources of the registry as documents, from the trees of types that also read and check objects.

`catalog.py` collects the types, `operations.py` the paths; `v2.py` and `v3.py` write documents of these, `gnostic.py`
has the tables for their form in protobuf. Nothing here knows a kind or HTTP.
"""
