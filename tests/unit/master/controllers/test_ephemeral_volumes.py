"""Ephemeral volumes: each gets a claim by its template, which belongs to the pod."""

from __future__ import annotations

from msgspec.structs import replace

from master import kinds
from master.controllers.ephemeralvolumes import EphemeralVolumes
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.storage import (
    EphemeralVolumeSource,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimTemplate,
    VolumeResourceRequirements,
)
from master.kinds.core.pod.volume import Volume
from master.objects.meta import ObjectMeta
from master.schema.data import Untyped
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, pod

TEMPLATE = PersistentVolumeClaimTemplate(
    metadata=ObjectMeta(labels={"a": "b"}),
    spec=PersistentVolumeClaimSpec(
        access_modes=("ReadWriteOnce",),
        resources=VolumeResourceRequirements(requests={"storage": "1Gi"}),
        storage_class_name="fast",
    ),
)


def with_scratch() -> Pod:
    scratch = Volume(name="scratch", ephemeral=EphemeralVolumeSource(volume_claim_template=TEMPLATE))
    made = pod("web")
    return replace(made, spec=replace(made.spec, volumes=(scratch,)))


def claim_of(cluster: FakeCluster) -> Untyped | None:
    claim: Untyped | None = cluster.resources.cache.get(kinds.PERSISTENTVOLUMECLAIM, "default", "web-scratch")
    return claim


async def test_the_claim_is_made_by_the_template_and_belongs_to_the_pod() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running(EphemeralVolumes(cluster.resources, cluster.clock, cluster.recorder)):
        made = await cluster.create(kinds.POD, with_scratch())
        await cluster.pod("other")
        await settle()
        claim = claim_of(cluster)
        assert claim is not None and claim.metadata.labels == {"a": "b"}
        assert claim.spec["resources"] == {"requests": {"storage": "1Gi"}}
        assert claim.spec["storageClassName"] == "fast"
        (owner,) = claim.metadata.owner_references
        assert (owner.kind, owner.name, owner.uid, owner.controller) == ("Pod", "web", made.metadata.uid, True)
        assert len(cluster.resources.cache.list(kinds.PERSISTENTVOLUMECLAIM)) == 1


async def test_pods_from_before_the_start_get_their_claims_and_a_deleted_claim_comes_back() -> None:
    cluster = await FakeCluster.make()
    await cluster.create(kinds.POD, with_scratch())
    async with cluster.running(EphemeralVolumes(cluster.resources, cluster.clock, cluster.recorder)):
        await settle()
        first = claim_of(cluster)
        assert first is not None

        def released(claim: Untyped) -> Untyped:
            return replace(claim, metadata=replace(claim.metadata, finalizers=()))

        await cluster.change(kinds.PERSISTENTVOLUMECLAIM, "web-scratch", released)
        await cluster.delete(kinds.PERSISTENTVOLUMECLAIM, "web-scratch")
        await settle()
        again = claim_of(cluster)
        assert again is not None and again.metadata.uid != first.metadata.uid


async def test_a_claim_of_somebody_else_is_left_alone_and_an_event_says_so() -> None:
    cluster = await FakeCluster.make()
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    other = Untyped(metadata=ObjectMeta(name="web-scratch", namespace="default"), content={"spec": spec})
    before = await cluster.create(kinds.PERSISTENTVOLUMECLAIM, other)
    async with cluster.running(EphemeralVolumes(cluster.resources, cluster.clock, cluster.recorder)):
        await cluster.create(kinds.POD, with_scratch())
        await settle()
        (event,) = cluster.events("FailedBinding")
        assert event.message == "PVC default/web-scratch was not created for pod default/web (pod is not owner)"
        claim = claim_of(cluster)
        assert claim is not None and claim.metadata.uid == before.metadata.uid
