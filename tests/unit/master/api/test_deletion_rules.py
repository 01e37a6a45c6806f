"""Deletions as in Kubernetes: what happens to dependents by default, finalizers that stay, generation, last states."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from master.api.errors import Forbidden
from master.api.identity import Caller
from master.api.pipeline.request import Request
from master.api.resources import Resources
from master.kinds import CONFIGMAP, EVENT, NAMESPACE, REPLICATIONCONTROLLER
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.event import Event
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import PodSpec, PodTemplateSpec
from master.kinds.core.replicationcontroller import ReplicationController, ReplicationControllerSpec
from master.objects.meta import ObjectMeta, ObjectReference
from master.registry.deletion import Propagation


def config(*finalizers: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="c", finalizers=finalizers))


def controller(*finalizers: str) -> ReplicationController:
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "web"}), spec=PodSpec(containers=(Container(name="app", image="app"),))
    )
    meta = ObjectMeta(name="rc", finalizers=finalizers)
    return ReplicationController(metadata=meta, spec=ReplicationControllerSpec(template=template))


async def deleted(
    resources: Resources, me: Caller, kind: Any, obj: Any, propagation: Propagation | None = None
) -> tuple[str, ...] | None:
    """The finalizers of a new object after its deletion; None if it is gone."""
    name = (await resources.create(me, kind, obj, namespace="default")).metadata.name
    await resources.delete(me, kind, "default", name, propagation=propagation)
    left = resources.cache.get(kind, "default", name)
    return None if left is None else left.metadata.finalizers


async def test_the_default_for_dependents_differs_by_kind(resources: Resources, me: Caller) -> None:
    assert await deleted(resources, me, CONFIGMAP, config()) is None
    assert await deleted(resources, me, REPLICATIONCONTROLLER, controller()) == ("orphan",)


@pytest.mark.parametrize("finalizer", ["orphan", "foregroundDeletion"])
async def test_a_deletion_without_a_policy_keeps_the_finalizers_for_dependents(
    resources: Resources, me: Caller, finalizer: str
) -> None:
    assert await deleted(resources, me, CONFIGMAP, config(finalizer)) == (finalizer,)


@pytest.mark.parametrize(
    ("propagation", "left"),
    [("Background", ("a/b",)), ("Foreground", ("a/b", "foregroundDeletion")), ("Orphan", ("a/b", "orphan"))],
)
async def test_a_policy_replaces_the_finalizers_for_dependents(
    resources: Resources, me: Caller, propagation: Propagation, left: tuple[str, ...]
) -> None:
    assert await deleted(resources, me, CONFIGMAP, config("orphan", "a/b"), propagation) == left


async def test_events_have_no_dependents(resources: Resources, me: Caller) -> None:
    event = Event(
        metadata=ObjectMeta(name="e"), involved_object=ObjectReference(kind="Pod", name="p", namespace="default")
    )
    assert await deleted(resources, me, EVENT, event, "Foreground") is None


async def test_the_request_to_delete_moves_the_generation_once(resources: Resources, me: Caller) -> None:
    await resources.create(me, REPLICATIONCONTROLLER, controller("a/b"), namespace="default")
    generations = []
    for _ in range(2):
        await resources.delete(me, REPLICATIONCONTROLLER, "default", "rc", propagation="Background")
        left = resources.cache.get(REPLICATIONCONTROLLER, "default", "rc")
        assert left is not None
        generations.append(left.metadata.generation)
    assert generations == [2, 2]


async def test_the_removal_of_the_last_finalizer_is_answered_with_the_object_without_it(
    resources: Resources, me: Caller
) -> None:
    await resources.create(me, CONFIGMAP, config("a/b"), namespace="default")
    await resources.delete(me, CONFIGMAP, "default", "c")
    permit = await resources.pipeline.authorize(Request(me, "update", CONFIGMAP, "default", "c"))
    outcome = await resources.pipeline.change(
        permit, lambda entry: replace(entry.obj, metadata=replace(entry.obj.metadata, finalizers=()))
    )
    assert outcome is not None and outcome.removed
    assert outcome.entry.obj.metadata.finalizers == ()
    assert resources.cache.get(CONFIGMAP, "default", "c") is None


async def test_a_namespace_that_the_cluster_needs_stays(resources: Resources, me: Caller) -> None:
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        await resources.delete(me, NAMESPACE, "", "kube-system")
