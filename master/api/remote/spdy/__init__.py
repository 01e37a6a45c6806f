"""SPDY/3.1 without I/O, as far as Kubernetes' clients speak it: bytes in, events out, and the other way round.

`connection.py` is what a server uses. Not here: sockets, and what the streams mean.
"""
