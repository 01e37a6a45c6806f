"""The garbage collector and owner references that are not valid: another namespace, no namespace, an unknown kind."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from master import kinds
from master.cache import Serving
from master.controllers.garbage import GarbageCollector
from master.controllers.namespace import NamespaceController
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.namespace import Namespace
from master.objects.meta import ObjectMeta, OwnerReference
from master.registry.resource import Resource
from master.schema.data import Data, Untyped
from master.schema.tree import Struct
from master.store.interface import Delete
from tests.fakes.clock import settle
from tests.fakes.cluster import FakeCluster, rc

WIDGET = Resource(kind="Widget", plural="widgets", group="example.com", schema=Data("Widget", Struct("Widget")))


async def start() -> tuple[FakeCluster, GarbageCollector]:
    cluster = await FakeCluster.make()
    return cluster, GarbageCollector(cluster.resources, cluster.clock, cluster.recorder)


def owner(kind: str, made: Any, *, api_version: str = "v1") -> OwnerReference:
    meta = made.metadata
    return OwnerReference(api_version=api_version, kind=kind, name=meta.name, uid=meta.uid, block_owner_deletion=True)


async def config_map(cluster: FakeCluster, name: str, *owners: OwnerReference, namespace: str = "default") -> Any:
    meta = ObjectMeta(name=name, namespace=namespace, owner_references=owners)
    return await cluster.create(kinds.CONFIGMAP, ConfigMap(metadata=meta))


async def owned_namespace(cluster: FakeCluster, reference: OwnerReference) -> None:
    """An object without a namespace."""
    meta = ObjectMeta(name="shop", owner_references=(reference,))
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=meta))


async def test_an_object_without_a_namespace_survives_its_namespaced_owner() -> None:
    cluster, collector = await start()
    async with cluster.running(collector):
        made = await cluster.create(kinds.REPLICATIONCONTROLLER, rc("web"))
        await owned_namespace(cluster, owner("ReplicationController", made))
        await settle()
        assert not cluster.get(kinds.NAMESPACE, "shop").metadata.deletion_timestamp
        [event] = cluster.events("OwnerRefInvalidNamespace")
        assert (event.involved_object.kind, event.involved_object.name, event.type) == ("Namespace", "shop", "Warning")
        for policy in ("Background", "Foreground", "Orphan"):
            await cluster.delete(kinds.REPLICATIONCONTROLLER, "web", propagation=policy)
            await settle()
            assert cluster.get(kinds.REPLICATIONCONTROLLER, "web") is None
            meta = cluster.get(kinds.NAMESPACE, "shop").metadata
            assert not meta.deletion_timestamp and meta.owner_references, policy
            await cluster.create(kinds.REPLICATIONCONTROLLER, rc("web"))


async def test_an_owner_in_another_namespace_counts_as_gone() -> None:
    cluster, collector = await start()
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    made = await config_map(cluster, "owner", namespace="shop")
    async with cluster.running(collector):
        await config_map(cluster, "mine", owner("ConfigMap", made))
        await settle()
        assert cluster.get(kinds.CONFIGMAP, "mine") is None
        [event] = cluster.events("OwnerRefInvalidNamespace")
        assert 'does not exist in namespace "default"' in event.message


async def test_a_deletion_does_not_touch_dependents_in_other_namespaces() -> None:
    cluster, collector = await start()
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    made = await config_map(cluster, "owner", namespace="shop")
    other = await config_map(cluster, "other")
    async with cluster.running(collector):
        # It lives by its second owner.
        await config_map(cluster, "mine", owner("ConfigMap", made), owner("ConfigMap", other))
        await cluster.resources.delete(collector._caller, kinds.CONFIGMAP, "shop", "owner", propagation="Foreground")
        await settle()
        assert cluster.cache.get(kinds.CONFIGMAP, "shop", "owner") is None
        assert cluster.get(kinds.CONFIGMAP, "mine").metadata.owner_references == (owner("ConfigMap", other),)


async def test_an_owner_that_is_gone_makes_no_event() -> None:
    cluster, collector = await start()
    async with cluster.running(collector):
        made = await config_map(cluster, "owner")
        await config_map(cluster, "mine", owner("ConfigMap", made))
        await cluster.delete(kinds.CONFIGMAP, "owner", propagation="Background")
        await settle()
        assert cluster.get(kinds.CONFIGMAP, "mine") is None
        assert cluster.events("OwnerRefInvalidNamespace") == []


async def widget(cluster: FakeCluster, name: str, *owners: OwnerReference, namespace: str = "default") -> Any:
    meta = ObjectMeta(name=name, namespace=namespace, owner_references=owners)
    return await cluster.create(WIDGET, Untyped(metadata=meta))


async def test_a_kind_added_at_run_time_owns_and_is_owned() -> None:
    cluster, collector = await start()
    async with cluster.running(collector):
        await Serving(cluster.resources.registry, cluster.cache).add(WIDGET)
        await settle()
        made = await widget(cluster, "w")
        await config_map(cluster, "mine", owner("Widget", made, api_version="example.com/v1"))
        await widget(cluster, "v", owner("ConfigMap", cluster.get(kinds.CONFIGMAP, "mine")))
        await cluster.delete(WIDGET, "w", propagation="Background")
        await settle()
        assert cluster.get(kinds.CONFIGMAP, "mine") is None
        assert cluster.get(WIDGET, "v") is None


async def test_while_the_kind_of_an_owner_is_not_served_its_dependents_stay() -> None:
    cluster, collector = await start()
    registry, serving = cluster.resources.registry, Serving(cluster.resources.registry, cluster.cache)
    async with cluster.running(collector):
        await serving.add(WIDGET)
        made = await widget(cluster, "w")
        await config_map(cluster, "mine", owner("Widget", made, api_version="example.com/v1"))
        registry.remove(WIDGET)
        await settle()
        await cluster.change(kinds.CONFIGMAP, "mine", lambda old: replace(old, data={"a": "b"}))
        await settle()
        assert cluster.get(kinds.CONFIGMAP, "mine") is not None
        await serving.add(WIDGET)
        await settle()
        assert cluster.get(kinds.CONFIGMAP, "mine") is not None, "the owner is back"
        registry.remove(WIDGET)
        await cluster.store.commit([], [Delete(WIDGET.key("default", "w"))])
        await serving.add(WIDGET)
        await settle()
        assert cluster.get(kinds.CONFIGMAP, "mine") is None, "the owner was deleted meanwhile"


async def test_a_namespace_is_emptied_of_objects_of_a_kind_added_at_run_time() -> None:
    cluster = await FakeCluster.make()
    controller = NamespaceController(cluster.resources, cluster.clock)
    registry, serving = cluster.resources.registry, Serving(cluster.resources.registry, cluster.cache)
    await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    await serving.add(WIDGET)
    await widget(cluster, "a", namespace="shop")
    await widget(cluster, "b")
    async with cluster.running(controller):
        registry.remove(WIDGET)
        await cluster.delete(kinds.NAMESPACE, "shop")
        await settle()
        assert cluster.get(kinds.NAMESPACE, "shop") is None, "nobody knows of the widget"
        await serving.add(WIDGET)
        await settle()
        assert [obj.metadata.name for obj in cluster.cache.list(WIDGET)] == ["b"]
