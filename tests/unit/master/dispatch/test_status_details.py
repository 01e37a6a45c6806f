"""The status of a container repeats its resources, its mounts and its stop signal once it exists on a node."""

from __future__ import annotations

from typing import Any

import msgspec

from master.dispatch.details import detailed
from master.kinds.core.pod.container import ContainerStatus
from master.kinds.core.pod.model import PodSpec, PodStatus
from proto.gen import observed_pb2 as wire

SPEC: dict[str, Any] = {
    "initContainers": [{"name": "init", "image": "i"}],
    "containers": [
        {
            "name": "app",
            "image": "i",
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}},
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "keys", "mountPath": "/keys", "readOnly": True},
                {"name": "tree", "mountPath": "/tree", "readOnly": True, "recursiveReadOnly": "IfPossible"},
            ],
            "lifecycle": {"stopSignal": "SIGQUIT"},
        }
    ],
    "ephemeralContainers": [{"name": "debug", "image": "i"}],
}


# Places from an agent that counts otherwise mean nothing.
REPORT = wire.PodStatus(
    container_statuses=[
        wire.ContainerStatus(name="app", read_only_trees=[0, 2, 9], volume_images={1: "docker://x", 9: "y"})
    ]
)


def status(*, app_id: str) -> PodStatus:
    def of(name: str, container_id: str = "docker://1") -> tuple[ContainerStatus, ...]:
        return (ContainerStatus(name=name, container_id=container_id),)

    return PodStatus(
        init_container_statuses=of("init"),
        container_statuses=of("app", app_id),
        ephemeral_container_statuses=of("debug"),
    )


def shown(container: ContainerStatus) -> dict[str, Any]:
    known = ("resources", "volumeMounts", "stopSignal")
    values = msgspec.json.decode(msgspec.json.encode(container))
    return {name: values[name] for name in known if values.get(name)}


def test_the_details_are_those_of_the_spec() -> None:
    after = detailed(msgspec.convert(SPEC, PodSpec), status(app_id="docker://2"), REPORT)
    assert shown(after.container_statuses[0]) == {
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {
                "name": "keys",
                "mountPath": "/keys",
                "readOnly": True,
                "recursiveReadOnly": "Disabled",
                "volumeStatus": {"image": {"imageRef": "docker://x"}},
            },
            {"name": "tree", "mountPath": "/tree", "readOnly": True, "recursiveReadOnly": "Enabled"},
        ],
        "stopSignal": "SIGQUIT",
    }
    assert shown(after.init_container_statuses[0]) == shown(after.ephemeral_container_statuses[0]) == {}


def test_a_container_that_does_not_exist_yet_has_none() -> None:
    before = status(app_id="")
    after = detailed(msgspec.convert(SPEC, PodSpec), before, REPORT)
    assert after.container_statuses == before.container_statuses
