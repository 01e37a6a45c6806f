"""Columns of the tables of workloads: numbers of pods, the containers and images of the template, and the selector."""

from __future__ import annotations

from typing import Final

from master.kinds.core.pod.model import PodTemplateSpec
from master.registry.table import Column

DESIRED: Final = Column("Desired", type="integer", description="The desired number of pods.")
CURRENT: Final = Column("Current", type="integer", description="The number of pods.")
READY: Final = Column("Ready", type="integer", description="The number of ready pods.")
CONTAINERS: Final = Column("Containers", priority=1, description="The containers of the template.")
IMAGES: Final = Column("Images", priority=1, description="The images of the containers.")
SELECTOR: Final = Column("Selector", priority=1, description="The pods that count.")


def containers(template: PodTemplateSpec | None) -> tuple[str, str]:
    """The cells of CONTAINERS and IMAGES."""
    found = template.spec.containers if template else ()
    return ",".join(container.name for container in found), ",".join(container.image for container in found)
