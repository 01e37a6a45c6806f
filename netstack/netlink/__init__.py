"""Routing netlink through pyroute2: a connection (with its thread and namespace), reads, and changes.

Only this package and monitor.py import pyroute2. Import its modules where a namespace is opened and not before, because
pyroute2 takes 60 ms and 4 MB, which a process that opens no namespace need not spend.
"""

from __future__ import annotations

import importlib.util
import sys


def prepare_pyroute2() -> None:
    """Register pyroute2 as a package without running its own __init__.

    That one loads the whole library, another 5 MB and 40 ms. The library's modules import each other by their full
    names. If pyroute2 is already loaded, nothing changes.
    """
    if "pyroute2" not in sys.modules:
        spec = importlib.util.find_spec("pyroute2")
        if spec is None:
            raise ModuleNotFoundError("pyroute2 is not installed", name="pyroute2")
        sys.modules["pyroute2"] = importlib.util.module_from_spec(spec)


prepare_pyroute2()
