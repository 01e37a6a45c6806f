"""The processor time of one server-side apply without the disk: one field of a Deployment changes.

The apply takes the way of a PATCH, from the parsed body to the bytes of the response, on the store in memory. It runs
in a process of its own. `python -m tests.bench.areas.api.applying NUMBER` prints the median in microseconds.
"""
