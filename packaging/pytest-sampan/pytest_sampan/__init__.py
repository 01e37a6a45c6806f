"""The entry point of the wheel `pytest-sampan`: loads the pytest plugins of the other two wheels.

`sampan-netstack`, which this wheel depends on, has the fixtures for topologies, probes and captures. An installed
`sampan` has the fixtures for clusters; without it, tests that ask for a cluster are skipped.
"""

from importlib.metadata import distribution
from importlib.util import find_spec


def _has_clusters() -> bool:
    """Whether `sampan` is installed. Asked first, because a project may have a package `lab` of its own."""
    try:
        distribution("sampan")
        return find_spec("lab.plugin") is not None
    except ModuleNotFoundError:
        return False


pytest_plugins = ["netrig.plugin", "lab.plugin" if _has_clusters() else "pytest_sampan.without_clusters"]
