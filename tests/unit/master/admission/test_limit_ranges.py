"""LimitRanges: default amounts of containers, and limits of containers, pods and claims."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from master.api.errors import Forbidden
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import LIMITRANGE, NAMESPACE, PERSISTENTVOLUMECLAIM, POD
from master.kinds.core.namespace import Namespace
from master.kinds.core.pod.container import Container, ResourceRequirements
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.strategy import SPECS
from master.objects.meta import ObjectMeta
from master.schema.data import Untyped

ANNOTATION = "kubernetes.io/limit-ranger"
Amounts = dict[str, str]


async def add(resources: Resources, me: Caller, name: str, *limits: dict[str, Any]) -> None:
    made = Untyped(metadata=ObjectMeta(name=name), content={"spec": {"limits": list(limits)}})
    await resources.create(me, LIMITRANGE, made, namespace="default")


def container(requests: Amounts | None = None, limits: Amounts | None = None, **fields: Any) -> Container:
    amounts = ResourceRequirements(requests=requests or {}, limits=limits or {})
    return Container(**{"name": "app", "image": "nginx", "resources": amounts, **fields})


async def create(
    resources: Resources, me: Caller, /, *containers: Container, namespace: str = "default", **spec: Any
) -> Pod:
    pod = Pod(metadata=ObjectMeta(name="web"), spec=PodSpec(containers=containers, **spec))
    return await resources.create(me, POD, pod, namespace=namespace)


def item(type_: str, **amounts: Amounts) -> dict[str, Any]:
    return {"type": type_, **amounts}


def claim(storage: str) -> Untyped:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    return Untyped(metadata=ObjectMeta(name="data"), content={"spec": spec})


# -- defaults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "own", "requests", "limits", "annotation"),
    [
        pytest.param(
            item("Container", default={"cpu": "500m"}, defaultRequest={"cpu": "0.1", "memory": "64Mi"}),
            container(),
            {"cpu": "100m", "memory": "64Mi"},
            {"cpu": "500m"},
            "cpu, memory request for container app; cpu limit for container app",
            id="both",
        ),
        pytest.param(
            item("Container", default={"cpu": "500m"}),
            container({"cpu": "200m"}),
            {"cpu": "200m"},
            {"cpu": "500m"},
            "cpu limit for container app",
            id="an own request",
        ),
        pytest.param(
            item("Container", default={"cpu": "500m"}, defaultRequest={"cpu": "100m"}),
            container(limits={"cpu": "400m"}),
            {"cpu": "400m"},
            {"cpu": "400m"},
            None,
            id="the own limit is the request",
        ),
        pytest.param(
            item("Container", max={"memory": "1Gi"}),
            container(),
            {"memory": "1Gi"},
            {"memory": "1Gi"},
            "memory request for container app; memory limit for container app",
            id="the largest amount is the default",
        ),
        pytest.param(item("Pod", max={"cpu": "2"}), container({"cpu": "1"}, {"cpu": "1"}), None, None, None, id="pods"),
    ],
)
async def test_defaults(
    resources: Resources,
    me: Caller,
    limit: dict[str, Any],
    own: Container,
    requests: Amounts | None,
    limits: Amounts | None,
    annotation: str | None,
) -> None:
    await add(resources, me, "limits", limit)
    made = await create(resources, me, own)
    amounts = made.spec.containers[0].resources
    assert amounts.requests == (own.resources.requests if requests is None else requests)
    assert amounts.limits == (own.resources.limits if limits is None else limits)
    expected = None if annotation is None else f"LimitRanger plugin set: {annotation}"
    assert made.metadata.annotations.get(ANNOTATION) == expected


async def test_init_containers_have_defaults_too_and_the_quality_of_service_follows(
    resources: Resources, me: Caller
) -> None:
    await add(resources, me, "limits", item("Container", default={"cpu": "1", "memory": "1Gi"}))
    made = await create(resources, me, container(), init_containers=(container(name="setup"),))
    assert made.spec.init_containers[0].resources.limits == {"cpu": "1", "memory": "1Gi"}
    assert made.status.qos_class == "Guaranteed"
    assert "cpu, memory limit for init container setup" in made.metadata.annotations[ANNOTATION]


async def test_other_namespaces_are_not_concerned_and_a_removed_range_has_no_effect(
    resources: Resources, me: Caller
) -> None:
    await resources.create(me, NAMESPACE, Namespace(metadata=ObjectMeta(name="other")))
    await add(resources, me, "limits", item("Container", default={"cpu": "1"}))
    assert not (await create(resources, me, container(), namespace="other")).spec.containers[0].resources.limits
    await resources.delete(me, LIMITRANGE, "default", "limits")
    assert not (await create(resources, me, container())).spec.containers[0].resources.limits


async def test_pods_from_a_template_share_their_completed_spec(resources: Resources, me: Caller) -> None:
    spec = PodSpec(containers=(container(name="of-a-template"),))
    for _ in range(2):
        # A text that comes twice is interned.
        SPECS.offer(b"of-a-template", spec)
    await add(resources, me, "limits", item("Container", default={"cpu": "1"}))
    pod = Pod(metadata=ObjectMeta(generate_name="web-"), spec=spec)
    for cpu in ("1", "2"):
        first, second = [await resources.create(me, POD, pod, namespace="default") for _ in range(2)]
        assert first.spec.containers[0].resources.limits == {"cpu": cpu}
        assert first.spec is second.spec
        content = {"spec": {"limits": [item("Container", default={"cpu": "2"})]}}
        await resources.mutate(me, LIMITRANGE, "default", "limits", partial(replace, content=content))


# -- limits -------------------------------------------------------------------------------------------------------

SIDECAR = container({"cpu": "300m"}, name="side", restart_policy="Always")


@pytest.mark.parametrize(
    ("limit", "containers", "spec", "why"),
    [
        pytest.param(
            item("Container", min={"cpu": "100m"}, defaultRequest={"cpu": "100m"}),
            (container({"cpu": "50m"}),),
            {},
            "minimum cpu usage per Container is 100m, but request is 50m",
            id="request below min",
        ),
        pytest.param(
            item("Pod", min={"cpu": "100m"}),
            (container(),),
            {},
            "minimum cpu usage per Pod is 100m.  No request is specified",
            id="no request of the pod",
        ),
        pytest.param(
            item("Pod", max={"memory": "1Gi"}),
            (container({"memory": "1Mi"}),),
            {},
            "maximum memory usage per Pod is 1Gi.  No limit is specified",
            id="no limit of the pod",
        ),
        pytest.param(
            item("Container", max={"memory": "1Gi"}),
            (container(limits={"memory": "1025Mi"}),),
            {},
            "maximum memory usage per Container is 1Gi, but limit is 1025Mi",
            id="limit above max, whose request is above it too",
        ),
        pytest.param(
            item("Container", max={"cpu": "1"}),
            (container({"cpu": "2"}, {"cpu": "2"}), container({"cpu": "3"}, {"cpu": "3"}, name="b")),
            {},
            "[maximum cpu usage per Container is 1, but limit is 2, "
            "maximum cpu usage per Container is 1, but limit is 3]",
            id="two containers",
        ),
        pytest.param(
            item("Container", max={"cpu": "1"}),
            (container({"cpu": "2"}, {"cpu": "2"}), container({"cpu": "2"}, {"cpu": "2"}, name="b")),
            {},
            "maximum cpu usage per Container is 1, but limit is 2",
            id="the same message once",
        ),
        pytest.param(
            item("Container", maxLimitRequestRatio={"cpu": "2"}),
            (container({"cpu": "100m"}, {"cpu": "250m"}),),
            {},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000",
            id="ratio",
        ),
        pytest.param(
            item("Container", maxLimitRequestRatio={"cpu": "2"}),
            (container(),),
            {},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
            id="ratio without a request",
        ),
        pytest.param(
            item("Container", maxLimitRequestRatio={"cpu": "2"}),
            (container({"cpu": "1"}),),
            {},
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
            id="ratio without a limit",
        ),
        pytest.param(
            item("Pod", max={"memory": "1Gi"}),
            (container(limits={"memory": "1Gi"}), container(limits={"memory": "512Mi"}, name="b")),
            {},
            "maximum memory usage per Pod is 1Gi, but limit is 1536Mi",
            id="the sum of the containers",
        ),
        pytest.param(
            item("Pod", min={"cpu": "1"}),
            (container({"cpu": "200m"}),),
            {"init_containers": (SIDECAR, container({"cpu": "400m"}, name="setup"))},
            "minimum cpu usage per Pod is 1, but request is 700m",
            id="an init container beside a sidecar",
        ),
        pytest.param(
            item("Pod", min={"cpu": "1"}),
            (container({"cpu": "500m"}),),
            {"init_containers": (SIDECAR, container({"cpu": "400m"}, name="setup"))},
            "minimum cpu usage per Pod is 1, but request is 800m",
            id="a sidecar beside the containers",
        ),
        pytest.param(
            item("Pod", min={"cpu": "1"}),
            (container({"cpu": "500m"}),),
            {"resources": ResourceRequirements(requests={"cpu": "600m"})},
            "minimum cpu usage per Pod is 1, but request is 600m",
            id="the pod's own amount",
        ),
    ],
)
async def test_pods_that_break_a_limit(
    resources: Resources,
    me: Caller,
    limit: dict[str, Any],
    containers: tuple[Container, ...],
    spec: dict[str, Any],
    why: str,
) -> None:
    await add(resources, me, "limits", limit)
    with pytest.raises(Forbidden) as refused:
        await create(resources, me, *containers, **spec)
    assert str(refused.value) == f'pods "web" is forbidden: {why}'


async def test_pods_within_the_limits_and_old_pods(resources: Resources, me: Caller) -> None:
    made = await create(resources, me, container({"cpu": "4"}, {"cpu": "4"}))
    await add(
        resources,
        me,
        "limits",
        item("Container", min={"cpu": "100m"}, max={"cpu": "1"}, maxLimitRequestRatio={"cpu": "2"}),
        item("Pod", min={"cpu": "200m"}, max={"cpu": "2"}),
    )
    labelled = replace(made, metadata=replace(made.metadata, labels={"a": "b"}))
    assert (await resources.update(me, POD, labelled)).metadata.labels == {"a": "b"}, "only new pods are checked"
    await resources.delete(me, POD, "default", "web", grace_period_s=0)
    await create(resources, me, container({"cpu": "0.5"}, {"cpu": "1"}), container({"cpu": "1"}, name="b"))


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        pytest.param("512Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi", id="min"),
        pytest.param("11Gi", "maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 11Gi", id="max"),
        pytest.param("1Gi", None, id="exactly min"),
        pytest.param("10Gi", None, id="exactly max"),
    ],
)
async def test_claims(resources: Resources, me: Caller, storage: str, why: str | None) -> None:
    limit = item("PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "10Gi"})
    await add(resources, me, "limits", limit)
    if why is None:
        await resources.create(me, PERSISTENTVOLUMECLAIM, claim(storage), namespace="default")
        return
    with pytest.raises(Forbidden) as refused:
        await resources.create(me, PERSISTENTVOLUMECLAIM, claim(storage), namespace="default")
    assert str(refused.value) == f'persistentvolumeclaims "data" is forbidden: {why}'


async def test_a_claim_that_breaks_a_limit_can_be_deleted_but_not_changed(resources: Resources, me: Caller) -> None:
    made = await resources.create(me, PERSISTENTVOLUMECLAIM, claim("1Gi"), namespace="default")
    await add(resources, me, "limits", item("PersistentVolumeClaim", min={"storage": "2Gi"}))
    with pytest.raises(Forbidden, match="but request is 1Gi"):
        await resources.update(
            me, PERSISTENTVOLUMECLAIM, replace(made, metadata=replace(made.metadata, labels={"a": "b"}))
        )
    await resources.delete(me, PERSISTENTVOLUMECLAIM, "default", "data")
    released = await resources.mutate(
        me,
        PERSISTENTVOLUMECLAIM,
        "default",
        "data",
        lambda old: replace(old, metadata=replace(old.metadata, finalizers=())),
    )
    assert released is not None
    assert resources.cache.entry(PERSISTENTVOLUMECLAIM, "default", "data") is None
