"""Messages of a hostile node to a master, with fields changed at any depth."""

from __future__ import annotations

from typing import Any

from master import kinds
from proto.gen import observed_pb2
from tests.fakes.sessions import MasterEnd


def uid(master: MasterEnd, name: str) -> str:
    pod = master.cache.get(kinds.POD, "default", name)
    assert pod is not None
    return pod.metadata.uid


def changed(message: Any, /, **values: Any) -> Any:
    """Sets fields of the message and returns it. `node__address` is the field `address` of `node`."""
    for name, value in values.items():
        *path, last = name.split("__")
        target = message
        for step in path:
            target = getattr(target, step)
        setattr(target, last, value)
    return message


def pod_status(**values: Any) -> observed_pb2.PodStatus:
    """A valid status of the node's own pod, except for the changed fields."""
    status = observed_pb2.PodStatus(
        uid="(web)",
        namespace="default",
        name="web",
        phase="Running",
        container_statuses=[observed_pb2.ContainerStatus(name="app", image="app:1")],
    )
    return status if not values else changed(status, **values)
