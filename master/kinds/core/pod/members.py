"""The containers of a pod out of all the lists that its spec has of them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import PodSpec


def all_containers(spec: PodSpec) -> tuple[Container, ...]:
    """The init containers, the containers and the ephemeral containers, in this order."""
    return (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)


def declared_containers(spec: PodSpec, at: str) -> Iterator[tuple[str, Container]]:
    """The init containers and the containers, in this order, each with its path. `at` is the path of the spec."""
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            yield f"{at}.{field}[{index}]", container
