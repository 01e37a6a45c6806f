"""Claims without a class get the class that becomes the default later."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.controllers.claimclasses import ClaimClasses
from master.objects.meta import ObjectMeta
from master.schema.data import Untyped
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster

SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
DEFAULT = "storageclass.kubernetes.io/is-default-class"


@pytest.mark.parametrize("running_first", [True, False])
@pytest.mark.parametrize(
    ("spec", "annotations", "expected"),
    [
        pytest.param({}, {}, "fast", id="without a class"),
        pytest.param({"storageClassName": ""}, {}, "", id="no class by choice"),
        pytest.param({"storageClassName": "slow"}, {}, "slow", id="another class"),
        pytest.param({"volumeName": "disk"}, {}, None, id="bound to a volume"),
        pytest.param({}, {"volume.beta.kubernetes.io/storage-class": "slow"}, None, id="class in the annotation"),
    ],
)
async def test_a_later_default(
    spec: dict[str, Any], annotations: dict[str, str], expected: str | None, running_first: bool
) -> None:
    cluster = await FakeCluster.make()
    meta = ObjectMeta(name="data", namespace="default", annotations=annotations)
    await cluster.create(kinds.PERSISTENTVOLUMECLAIM, Untyped(metadata=meta, content={"spec": {**SPEC, **spec}}))

    async def become_default() -> None:
        made = Untyped(metadata=ObjectMeta(name="fast"), content={"provisioner": "example.com/disks"})
        await cluster.create(kinds.STORAGECLASS, made)
        await settle()
        await cluster.change(
            kinds.STORAGECLASS,
            "fast",
            lambda old: replace(old, metadata=replace(old.metadata, annotations={DEFAULT: "true"})),
        )

    if not running_first:
        await become_default()
    async with cluster.running(ClaimClasses(cluster.resources, cluster.clock)):
        if running_first:
            await become_default()
        await settle()
        assert cluster.get(kinds.PERSISTENTVOLUMECLAIM, "data").spec.get("storageClassName") == expected
