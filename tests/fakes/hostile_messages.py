"""What a hostile node says to a master: messages that can be changed at any depth."""

from __future__ import annotations

from typing import Any

from master.api import kinds
from proto.gen import observed_pb2
from tests.fakes.sessions import MasterEnd


def uid(master: MasterEnd, name: str) -> str:
    found = master.cache.get(kinds.POD, "default", name)
    assert found is not None
    return found.metadata.uid


def changed(message: Any, /, **values: Any) -> Any:
    """The message with fields set; `node__address` is `address` of `node`."""
    for name, value in values.items():
        *path, last = name.split("__")
        place = message
        for step in path:
            place = getattr(place, step)
        setattr(place, last, value)
    return message


def pod_status(**values: Any) -> observed_pb2.PodStatus:
    """Of the node's own pod, good but for the values."""
    status = observed_pb2.PodStatus(
        uid="(web)",
        namespace="default",
        name="web",
        phase="Running",
        container_statuses=[observed_pb2.ContainerStatus(name="app", image="app:1")],
    )
    return status if not values else changed(status, **values)
