"""Routing netlink through pyroute2: a connection (its thread and namespace), reads, and changes.

The only package that imports pyroute2, together with monitor.py. Import its modules where a namespace is opened, not
before: it takes 60 ms and 4 MB, which those who open nothing need not pay.
"""

from __future__ import annotations

import importlib.util
import sys


def prepare_pyroute2() -> None:
    """Make pyroute2 a package whose own __init__ is not run: that one loads all of the library, another 5 MB and
    40 ms. Its modules import each other by their full names. One that is loaded already is left as it is.
    """
    if "pyroute2" not in sys.modules:
        spec = importlib.util.find_spec("pyroute2")
        if spec is None:
            raise ModuleNotFoundError("pyroute2 is not installed", name="pyroute2")
        sys.modules["pyroute2"] = importlib.util.module_from_spec(spec)


prepare_pyroute2()
