"""Patches: each format turns the JSON value of an object and the body of a PATCH into a new JSON value.

Pure: nothing here knows requests, the store or the kinds. `FORMATS` in formats.py lists the formats.
"""
