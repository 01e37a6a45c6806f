"""The pipeline behind REST: defaults, allocation without conflicts, deletion, namespaces."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from master.api.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from master.api.identity import ANONYMOUS, Caller
from master.api.resources import Resources
from master.kinds import CONFIGMAP, NAMESPACE, NODE, POD, REPLICATIONCONTROLLER, SERVICE
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.namespace import Namespace, NamespaceSpec
from master.kinds.core.node import Node
from master.kinds.core.pod.model import Pod, PodTemplateSpec
from master.kinds.core.pod.writes import finish_deletion
from master.kinds.core.replicationcontroller import ReplicationController, ReplicationControllerSpec
from master.kinds.core.service.model import Service, ServiceSpec
from master.objects.meta import ObjectMeta
from master.store.interface import Put
from tests.fakes.clock import FakeClock
from tests.unit.master.api.objects import SPEC, make, pod, service

# -- services -----------------------------------------------------------------------------------------------------


async def test_concurrent_services_get_different_addresses_and_ports(resources: Resources, me: Caller) -> None:
    made = await asyncio.gather(
        *(resources.create(me, SERVICE, service(f"s{n}", type="NodePort"), namespace="default") for n in range(10))
    )
    assert len({s.spec.cluster_ip for s in made} | {"10.96.0.1"}) == 11
    assert {s.spec.ports[0].node_port for s in made} == set(range(30000, 30010))
    with pytest.raises(Unavailable, match="no node port is free"):
        await resources.create(me, SERVICE, service("more", type="NodePort"), namespace="default")


async def test_one_of_two_concurrent_requests_for_a_node_port_is_refused(resources: Resources, me: Caller) -> None:
    outcomes = await asyncio.gather(
        *(resources.create(me, SERVICE, service(n, 30002, type="NodePort"), namespace="default") for n in ("a", "b")),
        return_exceptions=True,
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(lost) == 1 and isinstance(lost[0], Invalid)
    assert lost[0].causes[0].field == "spec.ports[0].nodePort"
    assert "already allocated (to services/default/" in lost[0].message


async def test_the_address_and_port_of_a_deleted_service_are_free(resources: Resources, me: Caller) -> None:
    held = service("a", 30002, type="NodePort", cluster_ip="10.96.0.77")
    await make(resources, me, SERVICE, held)
    with pytest.raises(Invalid, match="already allocated"):
        await make(resources, me, SERVICE, service("b", cluster_ip="10.96.0.77"))
    await resources.delete(me, SERVICE, "default", "a")
    await make(resources, me, SERVICE, replace(held, metadata=ObjectMeta(name="b")))


async def test_an_update_keeps_releases_and_allocates_ports(resources: Resources, me: Caller) -> None:
    made = await resources.create(me, SERVICE, service("a", 30002, 0, type="NodePort"), namespace="default")
    second = made.spec.ports[1].node_port
    kept = await resources.update(
        me,
        SERVICE,
        Service(metadata=ObjectMeta(name="a", namespace="default"), spec=service("a", 0, 0, type="NodePort").spec),
    )
    assert [p.node_port for p in kept.spec.ports] == [30002, second]
    assert kept.spec.cluster_ip == made.spec.cluster_ip
    plain = await resources.mutate(
        me, SERVICE, "default", "a", lambda s: replace(s, spec=replace(s.spec, type="ClusterIP"))
    )
    assert plain is not None and [p.node_port for p in plain.spec.ports] == [0, 0]
    assert resources.cache.holder("/unique/nodeport/TCP/30002") is None
    await make(resources, me, SERVICE, service("b", 30002, type="NodePort"))


async def test_a_cluster_ip_cannot_be_changed(resources: Resources, me: Caller) -> None:
    await make(resources, me, SERVICE, service("a"))
    with pytest.raises(Invalid, match="immutable"):
        await resources.mutate(
            me, SERVICE, "default", "a", lambda s: replace(s, spec=replace(s.spec, cluster_ip="10.96.0.99"))
        )


async def test_headless_and_external_services_have_no_address(resources: Resources, me: Caller) -> None:
    headless = await resources.create(me, SERVICE, service("a", cluster_ip="None"), namespace="default")
    assert headless.spec.cluster_ip == "None"
    external = Service(metadata=ObjectMeta(name="b"), spec=ServiceSpec(type="ExternalName", external_name="x.example"))
    made = await resources.create(me, SERVICE, external, namespace="default")
    assert made.spec.cluster_ip == ""
    assert [key for key in resources.cache._unique if "clusterip" in key] == [
        "/unique/clusterip/10.96.0.1",
        "/unique/clusterip/10.96.0.10",
    ]


# -- defaults and updates -----------------------------------------------------------------------------------------


async def test_the_selector_of_a_controller_defaults_to_the_template(resources: Resources, me: Caller) -> None:
    template = PodTemplateSpec(metadata=ObjectMeta(labels={"a": "b"}), spec=SPEC)
    obj = ReplicationController(metadata=ObjectMeta(name="c"), spec=ReplicationControllerSpec(template=template))
    made = await resources.create(me, REPLICATIONCONTROLLER, obj, namespace="default")
    assert (made.spec.replicas, made.spec.selector, made.metadata.labels) == (1, {"a": "b"}, {"a": "b"})
    assert made.spec.template is not None
    assert made.spec.template.spec.containers[0].image_pull_policy == "Always"
    assert made.metadata.generation == 1


async def test_the_image_of_a_pod_can_be_changed_but_not_its_node(resources: Resources, me: Caller) -> None:
    await make(resources, me, POD, pod())

    def image(old: Pod) -> Pod:
        return replace(old, spec=replace(old.spec, containers=(replace(old.spec.containers[0], image="other:1"),)))

    changed = await resources.mutate(me, POD, "default", "web", image)
    assert changed is not None and changed.spec.containers[0].image == "other:1"
    with pytest.raises(Invalid, match="pod updates may not change fields"):
        await resources.mutate(me, POD, "default", "web", lambda p: replace(p, spec=replace(p.spec, node_name="x")))


async def test_an_update_without_changes_keeps_the_version(resources: Resources, me: Caller) -> None:
    made = await resources.create(me, POD, pod(), namespace="default")
    same = await resources.mutate(me, POD, "default", "web", lambda p: p)
    assert same == made
    assert await resources.mutate(me, POD, "default", "web", lambda p: None) is None


async def test_no_concurrent_mutation_is_lost(resources: Resources, me: Caller) -> None:
    await make(resources, me, CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="c")))

    def add(number: int) -> object:
        def change(old: ConfigMap) -> ConfigMap:
            return replace(old, data={**old.data, str(number): "x"})

        return resources.mutate(me, CONFIGMAP, "default", "c", change)

    await asyncio.gather(*(add(number) for number in range(20)))  # type: ignore[call-overload]
    stored = resources.cache.get(CONFIGMAP, "default", "c")
    assert stored is not None and len(stored.data) == 20


async def test_a_stale_update_is_a_conflict(resources: Resources, me: Caller) -> None:
    made = await resources.create(me, CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="c")), namespace="default")
    await resources.update(me, CONFIGMAP, replace(made, data={"a": "1"}))
    with pytest.raises(Conflict):
        await resources.update(me, CONFIGMAP, replace(made, data={"a": "2"}))


async def test_unknown_callers_and_nodes_cannot_write(resources: Resources) -> None:
    with pytest.raises(Unauthorized):
        await resources.create(ANONYMOUS, POD, pod(), namespace="default")
    with pytest.raises(Forbidden):
        await resources.delete(Caller("system:node:n", frozenset({"system:nodes"})), POD, "default", "web")


# -- deletion -----------------------------------------------------------------------------------------------------


async def test_a_pod_without_a_node_is_removed_at_once(resources: Resources, me: Caller) -> None:
    await make(resources, me, POD, pod())
    await resources.delete(me, POD, "default", "web")
    assert resources.cache.get(POD, "default", "web") is None


async def test_a_pod_on_a_node_is_removed_after_the_node_has_cleaned_up(resources: Resources, me: Caller) -> None:
    await make(resources, me, NODE, Node(metadata=ObjectMeta(name="n1")))
    made = await resources.create(me, POD, pod(node="n1"), namespace="default")
    await resources.delete(me, POD, "default", "web")
    ending = resources.cache.get(POD, "default", "web")
    assert ending is not None and ending.metadata.deletion_grace_period_seconds == 30
    assert ending.metadata.deletion_timestamp == "2026-01-01T00:00:30Z"
    await resources.delete(me, POD, "default", "web", grace_period_s=60)
    assert resources.cache.get(POD, "default", "web") == ending, "the grace period is never lengthened"
    await resources.delete(me, POD, "default", "web", grace_period_s=5)
    shorter = resources.cache.get(POD, "default", "web")
    assert shorter is not None and shorter.metadata.deletion_grace_period_seconds == 5
    await finish_deletion(resources, me, "default", "web", "another uid")
    assert resources.cache.get(POD, "default", "web") is not None
    await finish_deletion(resources, me, "default", "web", made.metadata.uid)
    assert resources.cache.get(POD, "default", "web") is None
    await finish_deletion(resources, me, "default", "web", made.metadata.uid)


async def test_a_second_deletion_of_a_pod_never_moves_its_end_to_a_later_time(resources: Resources, me: Caller) -> None:
    await make(resources, me, NODE, Node(metadata=ObjectMeta(name="n1")))
    await make(resources, me, POD, pod(node="n1"))
    await resources.delete(me, POD, "default", "web", grace_period_s=100)
    assert isinstance(resources.clock, FakeClock)
    await resources.clock.advance(80)
    first = resources.cache.get(POD, "default", "web")
    await resources.delete(me, POD, "default", "web")
    assert resources.cache.get(POD, "default", "web") == first, "a deletion without a period of its own changes nothing"
    await resources.delete(me, POD, "default", "web", grace_period_s=90)
    shorter = resources.cache.get(POD, "default", "web")
    assert shorter is not None and shorter.metadata.deletion_timestamp == "2026-01-01T00:01:30Z"


@pytest.mark.parametrize("node_exists", [True, False], ids=["force", "node-gone"])
async def test_a_pod_is_removed_at_once_if_forced_or_without_its_node(
    resources: Resources, me: Caller, node_exists: bool
) -> None:
    if node_exists:
        await make(resources, me, NODE, Node(metadata=ObjectMeta(name="n1")))
    await make(resources, me, POD, pod(node="n1"))
    await resources.delete(me, POD, "default", "web", grace_period_s=0 if node_exists else None)
    assert resources.cache.get(POD, "default", "web") is None


async def test_a_deletion_with_another_uid_is_refused(resources: Resources, me: Caller) -> None:
    await make(resources, me, POD, pod())
    with pytest.raises(Conflict, match="Precondition failed"):
        await resources.delete(me, POD, "default", "web", uid="another")


async def test_a_deleted_object_is_removed_with_its_last_finalizer(resources: Resources, me: Caller) -> None:
    obj = ConfigMap(metadata=ObjectMeta(name="c", finalizers=("example.com/hold",)))
    await make(resources, me, CONFIGMAP, obj)
    await resources.delete(me, CONFIGMAP, "default", "c")
    held = resources.cache.get(CONFIGMAP, "default", "c")
    assert held is not None and held.metadata.deletion_timestamp

    def finalizers(*names: str) -> object:
        return resources.mutate(
            me,
            CONFIGMAP,
            "default",
            "c",
            lambda c: replace(c, metadata=replace(c.metadata, finalizers=names)),
        )

    with pytest.raises(Invalid, match="no new finalizers"):
        await finalizers("example.com/hold", "example.com/more")  # type: ignore[misc]
    await finalizers()  # type: ignore[misc]
    assert resources.cache.get(CONFIGMAP, "default", "c") is None


async def test_orphaning_adds_a_finalizer_for_the_garbage_collector(resources: Resources, me: Caller) -> None:
    await make(resources, me, CONFIGMAP, ConfigMap(metadata=ObjectMeta(name="c")))
    await resources.delete(me, CONFIGMAP, "default", "c", propagation="Orphan")
    held = resources.cache.get(CONFIGMAP, "default", "c")
    assert held is not None and held.metadata.finalizers == ("orphan",)


async def test_the_identity_of_a_deleted_node_is_marked_as_removed(resources: Resources, me: Caller) -> None:
    await make(resources, me, NODE, Node(metadata=ObjectMeta(name="n1")))
    key = "/identity/node/n1"
    await resources.store.commit([], [Put(key, b'{"fingerprint":"f","state":"active","podCIDR":"10.244.0.0/24"}')])
    await resources.delete(me, NODE, "", "n1")
    identity = await resources.store.get(key)
    assert identity is not None
    assert json.loads(identity.value) == {"fingerprint": "f", "state": "removed", "podCIDR": "10.244.0.0/24"}
    assert identity.mod_revision == resources.cache.revision, "in the same commit"


# -- namespaces ---------------------------------------------------------------------------------------------------


async def test_a_terminating_namespace_accepts_no_new_objects(resources: Resources, me: Caller) -> None:
    await resources.create(me, NAMESPACE, Namespace(metadata=ObjectMeta(name="n")))
    await resources.delete(me, NAMESPACE, "", "n")
    ending = resources.cache.get(NAMESPACE, "", "n")
    assert ending is not None and ending.status.phase == "Terminating" and ending.spec.finalizers == ("kubernetes",)
    with pytest.raises(Forbidden, match="being terminated") as refused:
        await resources.create(me, POD, pod(), namespace="n")
    assert refused.value.causes[0].reason == "NamespaceTerminating"
    await resources.mutate(me, NAMESPACE, "", "n", lambda n: replace(n, spec=NamespaceSpec()), subresource="finalize")
    assert resources.cache.get(NAMESPACE, "", "n") is None
    with pytest.raises(NotFound, match='namespaces "n" not found'):
        await resources.create(me, POD, pod(), namespace="n")


async def test_system_namespaces_cannot_be_deleted(resources: Resources, me: Caller) -> None:
    with pytest.raises(Forbidden, match="may not be deleted"):
        await resources.delete(me, NAMESPACE, "", "kube-system")


async def test_only_one_of_concurrent_creations_succeeds(resources: Resources, me: Caller) -> None:
    outcomes = await asyncio.gather(
        *(resources.create(me, POD, pod(), namespace="default") for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyExists"] * 4 + ["Pod"]
    assert all(isinstance(outcome, AlreadyExists | Pod) for outcome in outcomes)
