"""The pipeline behind REST: an object that is not valid is refused with its fields, and nothing is written."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from master.api.errors import Invalid
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import CONFIGMAP, POD, REPLICATIONCONTROLLER, SERVICE
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.pod.container import Container, ContainerPort
from master.kinds.core.pod.model import Pod, PodSpec, PodTemplateSpec
from master.kinds.core.replicationcontroller import ReplicationController, ReplicationControllerSpec
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta
from tests.unit.master.api.objects import SPEC, make, pod, service


def spec(**container: object) -> PodSpec:
    return PodSpec(containers=(Container(**{"name": "app", "image": "nginx", **container}),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "obj", "field", "message"),
    [
        (POD, pod("Web"), "metadata.name", "lowercase RFC 1123 subdomain"),
        (POD, pod("a" * 254), "metadata.name", "no more than 253"),
        (POD, Pod(metadata=ObjectMeta(), spec=SPEC), "metadata.name", "Required"),
        (POD, pod(labels={"a b": "c"}), "metadata.labels", "name part"),
        (POD, pod(labels={"a": "b c"}), "metadata.labels", "valid label"),
        (POD, pod(annotations={"/x": ""}), "metadata.annotations", "prefix part"),
        (POD, Pod(metadata=ObjectMeta(name="a")), "spec.containers", "Required"),
        (POD, Pod(metadata=ObjectMeta(name="a"), spec=spec(image="")), "spec.containers[0].image", "Required"),
        (POD, Pod(metadata=ObjectMeta(name="a"), spec=spec(name="A")), "spec.containers[0].name", "RFC 1123 label"),
        (
            POD,
            Pod(metadata=ObjectMeta(name="a"), spec=spec(ports=(ContainerPort(container_port=70000),))),
            "spec.containers[0].ports[0].containerPort",
            "between 1 and 65535",
        ),
        (
            POD,
            Pod(metadata=ObjectMeta(name="a"), spec=replace(SPEC, containers=SPEC.containers * 2)),
            "spec.containers[1].name",
            "Duplicate",
        ),
        (
            POD,
            Pod(metadata=ObjectMeta(name="a"), spec=replace(SPEC, restart_policy="Sometimes")),
            "spec.restartPolicy",
            '"Always", "Never", "OnFailure"',
        ),
        (SERVICE, service("1a"), "metadata.name", "DNS-1035"),
        (SERVICE, service("a", 40000, type="NodePort"), "spec.ports[0].nodePort", "30000-30009"),
        (SERVICE, service("a", 30001), "spec.ports[0].nodePort", "may not be used when `type` is 'ClusterIP'"),
        (SERVICE, service("a", type="Magic"), "spec.type", "supported values"),
        (SERVICE, service("a", cluster_ip="10.1.1.1"), "spec.clusterIPs", "not in the valid range 10.96.0.0/24"),
        (SERVICE, service("a", cluster_ip="10.96.0.1"), "spec.clusterIPs", "already allocated"),
        (SERVICE, Service(metadata=ObjectMeta(name="a")), "spec.ports", "Required"),
        (
            SERVICE,
            Service(metadata=ObjectMeta(name="a"), spec=ServiceSpec(ports=(ServicePort(port=1), ServicePort(port=2)))),
            "spec.ports[0].name",
            "Required",
        ),
        (
            REPLICATIONCONTROLLER,
            ReplicationController(
                metadata=ObjectMeta(name="a"),
                spec=ReplicationControllerSpec(
                    selector={"x": "y"}, template=PodTemplateSpec(metadata=ObjectMeta(labels={"x": "z"}), spec=SPEC)
                ),
            ),
            "spec.template.metadata.labels",
            "`selector` does not match template `labels`",
        ),
        (
            REPLICATIONCONTROLLER,
            ReplicationController(metadata=ObjectMeta(name="a"), spec=ReplicationControllerSpec(replicas=-1)),
            "spec.replicas",
            "greater than or equal to 0",
        ),
        (
            CONFIGMAP,
            ConfigMap(metadata=ObjectMeta(name="a"), data={"a/b": ""}),
            "data[a/b]",
            "valid config key",
        ),
    ],
)
async def test_an_invalid_object_is_refused_with_its_field(
    resources: Resources, me: Caller, kind: object, obj: object, field: str, message: str
) -> None:
    before = resources.cache.revision
    with pytest.raises(Invalid) as refused:
        await make(resources, me, kind, obj)
    causes = {cause.field: cause.message for cause in refused.value.causes}
    assert field in causes, causes
    assert message in causes[field]
    assert resources.cache.revision == before, "nothing was written"


async def test_quantities_are_checked_and_stored_in_canonical_form(resources: Resources, me: Caller) -> None:
    from master.kinds.core.pod.container import ResourceRequirements

    def limited(name: str, **limits: str) -> Pod:
        return Pod(metadata=ObjectMeta(name=name), spec=spec(resources=ResourceRequirements(limits=limits)))

    made = await resources.create(me, POD, limited("a", cpu="0.5", memory="1024Mi"), namespace="default")
    assert made.spec.containers[0].resources.limits == {"cpu": "500m", "memory": "1Gi"}
    assert made.spec.containers[0].resources.requests == {"cpu": "500m", "memory": "1Gi"}
    assert made.status.qos_class == "Guaranteed"
    with pytest.raises(Invalid, match="is not a quantity"):
        await resources.create(me, POD, limited("b", cpu="half"), namespace="default")
