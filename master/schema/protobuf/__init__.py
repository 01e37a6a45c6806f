"""Objects of the Kubernetes API in protobuf, read into the JSON values that mean the same.

`decoder.py` makes a function of each type from its facts, `frame.py` reads what is around an object. Nothing is written
in this format: clients that send it take JSON as well.
"""
