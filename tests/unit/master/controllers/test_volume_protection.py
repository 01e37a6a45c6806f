"""Volumes and claims that are being deleted stay while they are in use."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master import kinds
from master.controllers.namespace import NamespaceController
from master.controllers.volumeprotection import VolumeProtection
from master.kinds.core.namespace import Namespace
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.storage import (
    EphemeralVolumeSource,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimTemplate,
    PersistentVolumeClaimVolumeSource,
    VolumeResourceRequirements,
)
from master.kinds.core.pod.volume import Volume
from master.objects.meta import ObjectMeta, OwnerReference
from master.schema.data import Untyped
from tests.fakes.clock import settle
from tests.fakes.cluster import CALLER, FakeCluster, pod

CLAIM, VOLUME = kinds.PERSISTENTVOLUMECLAIM, kinds.PERSISTENTVOLUME
SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
TEMPLATE = PersistentVolumeClaimTemplate(
    spec=PersistentVolumeClaimSpec(
        access_modes=("ReadWriteOnce",), resources=VolumeResourceRequirements(requests={"storage": "1Gi"})
    )
)


def claim(name: str = "data", **meta: Any) -> Untyped:
    return Untyped(metadata=ObjectMeta(name=name, namespace="default", **meta), content={"spec": SPEC})


def volume(name: str = "disk") -> Untyped:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/srv"}}
    return Untyped(metadata=ObjectMeta(name=name), content={"spec": spec})


def user(name: str, source: Volume, *, node: str = "n1") -> Pod:
    made = pod(name, node=node)
    return replace(made, spec=replace(made.spec, volumes=(source,)))


NAMED = Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data"))
OTHER = Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="other"))
EPHEMERAL = Volume(name="v", ephemeral=EphemeralVolumeSource(volume_claim_template=TEMPLATE))


@pytest.fixture
async def cluster() -> FakeCluster:
    return await FakeCluster.make()


def protection(cluster: FakeCluster) -> VolumeProtection:
    return VolumeProtection(cluster.resources, cluster.clock)


@pytest.mark.parametrize(
    ("using", "stays"),
    [
        pytest.param(None, False, id="no pod"),
        pytest.param(user("a", NAMED), True, id="a pod on a node"),
        pytest.param(user("a", NAMED, node=""), False, id="a pod without a node"),
        pytest.param(user("a", OTHER), False, id="a pod with another claim"),
        pytest.param(user("a", EPHEMERAL), False, id="a pod with a claim of its own"),
    ],
)
async def test_a_claim_stays_while_a_pod_uses_it(cluster: FakeCluster, using: Pod | None, stays: bool) -> None:
    await cluster.create(CLAIM, claim())
    if using is not None:
        await cluster.create(kinds.POD, using)
    async with cluster.running(protection(cluster)):
        await cluster.delete(CLAIM, "data")
        await settle()
        assert (cluster.get(CLAIM, "data") is not None) is stays
        if using is not None:
            await cluster.delete(kinds.POD, "a", grace_period_s=0)
            await settle()
        assert cluster.get(CLAIM, "data") is None


async def test_a_finished_pod_still_uses_its_claim(cluster: FakeCluster) -> None:
    await cluster.create(CLAIM, claim())
    await cluster.create(kinds.POD, user("a", NAMED))
    await cluster.pod_status("a", phase="Succeeded")
    async with cluster.running(protection(cluster)):
        await cluster.delete(CLAIM, "data")
        await settle()
        assert cluster.get(CLAIM, "data") is not None


async def test_a_claim_that_was_made_for_a_pod_goes_when_the_pod_is_shut_down(cluster: FakeCluster) -> None:
    made = await cluster.create(kinds.POD, replace_finalizers(user("a", EPHEMERAL), "example.com/wait"))
    owner = OwnerReference(api_version="v1", kind="Pod", name="a", uid=made.metadata.uid, controller=True)
    await cluster.create(CLAIM, claim("a-v", owner_references=(owner,)))
    async with cluster.running(protection(cluster)):
        await cluster.delete(CLAIM, "a-v")
        await settle()
        assert cluster.get(CLAIM, "a-v") is not None
        await cluster.delete(kinds.POD, "a", grace_period_s=0)
        await settle()
        assert cluster.get(kinds.POD, "a") is not None, "its finalizer holds it"
        assert cluster.get(CLAIM, "a-v") is None


def replace_finalizers(made: Pod, *names: str) -> Pod:
    return replace(made, metadata=replace(made.metadata, finalizers=names))


@pytest.mark.parametrize("phase", ["", "Available", "Released", "Failed", "Bound"])
async def test_a_volume_stays_while_it_is_bound(cluster: FakeCluster, phase: str) -> None:
    await cluster.create(VOLUME, volume())

    async def become(phase: str) -> None:
        def change(old: Untyped) -> Untyped:
            return replace(old, content={**old.content, "status": {"phase": phase}})

        await cluster.change(VOLUME, "disk", change, subresource="status")

    if phase:
        await become(phase)
    async with cluster.running(protection(cluster)):
        await cluster.delete(VOLUME, "disk")
        await settle()
        assert (cluster.get(VOLUME, "disk") is not None) is (phase == "Bound")
        if phase == "Bound":
            await become("Released")
            await settle()
        assert cluster.get(VOLUME, "disk") is None


async def test_the_deletion_of_a_namespace_releases_its_claims(cluster: FakeCluster) -> None:
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="short")))
    made = claim()
    await cluster.create(CLAIM, replace(made, metadata=replace(made.metadata, namespace="short")))
    using = replace_finalizers(user("a", NAMED), "example.com/wait")
    await cluster.create(kinds.POD, replace(using, metadata=replace(using.metadata, namespace="short")))
    async with cluster.running(protection(cluster), NamespaceController(cluster.resources, cluster.clock)):
        await cluster.delete(kinds.NAMESPACE, "short")
        await cluster.clock.advance(1)
        assert cluster.get(CLAIM, "data", "short") is not None, "its pod is still there"
        await cluster.resources.mutate(CALLER, kinds.POD, "short", "a", replace_finalizers)
        for _ in range(60):
            await cluster.clock.advance(1)
        assert cluster.get(kinds.NAMESPACE, "short") is None


async def test_objects_from_before_are_protected_and_other_finalizers_stay(cluster: FakeCluster) -> None:
    for name in ("deleted", "kept"):
        await cluster.create(CLAIM, claim(name, finalizers=("example.com/wait",)))
        await cluster.change(
            CLAIM, name, lambda old: replace(old, metadata=replace(old.metadata, finalizers=("example.com/wait",)))
        )
    await cluster.create(CLAIM, claim("plain"))
    await cluster.change(CLAIM, "plain", lambda old: replace(old, metadata=replace(old.metadata, finalizers=())))
    await cluster.delete(CLAIM, "plain")
    assert cluster.get(CLAIM, "plain") is None, "without the finalizer nothing holds it"
    await cluster.delete(CLAIM, "deleted")
    async with cluster.running(protection(cluster)):
        await settle()
        assert cluster.get(CLAIM, "deleted").metadata.finalizers == ("example.com/wait",)
        assert cluster.get(CLAIM, "kept").metadata.finalizers == ("example.com/wait", "kubernetes.io/pvc-protection")
