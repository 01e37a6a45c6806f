"""Mounts below which everything is read-only (recursiveReadOnly): which a container has, and which it cannot have.

Pure functions. How a running container was mounted is in its labels: the kernel, or this code, may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agent.model import Container
from agent.pods.interface import HostSecurity
from proto.contract import Labels

_ENABLED: Final = "Enabled"
_IF_POSSIBLE: Final = "IfPossible"


def read_only_trees(container: Container, host: HostSecurity) -> tuple[int, ...]:
    """The places of such mounts among those of the container."""
    return _asked(container) if host.read_only_trees else ()


def asks_for_trees(container: Container) -> bool:
    """Whether the container has such mounts, if the node can make them."""
    return bool(_asked(container))


def _asked(container: Container) -> tuple[int, ...]:
    asked = (_ENABLED, _IF_POSSIBLE)
    mounts = enumerate(container.volume_mounts)
    return tuple(index for index, mount in mounts if mount.read_only and mount.recursive_read_only in asked)


def impossible_trees(container: Container, host: HostSecurity) -> Iterator[str]:
    """The settings, as paths with values, that cannot be carried out here."""
    for mount in container.volume_mounts:
        asked = mount.recursive_read_only
        known = asked in ("", _IF_POSSIBLE) or (asked == _ENABLED and mount.read_only and host.read_only_trees)
        if not known:
            yield f"volumeMounts[{mount.mount_path}].recursiveReadOnly: {asked}"


def trees_label(container: Container, host: HostSecurity) -> dict[str, str]:
    """The label that says which mounts of an instance are such; empty if none is."""
    trees = read_only_trees(container, host)
    return {Labels.READ_ONLY_TREES: ",".join(map(str, trees))} if trees else {}


def trees_of(labels: Mapping[str, str]) -> tuple[int, ...]:
    """What the label says."""
    places = labels.get(Labels.READ_ONLY_TREES, "").split(",")
    return tuple(int(place) for place in places if place.isdecimal())
