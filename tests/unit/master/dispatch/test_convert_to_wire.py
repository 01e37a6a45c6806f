"""Conversion of API objects to messages: one row for each rule."""

from __future__ import annotations

from typing import Any

import pytest

from agent import model
from agent.wire.desired import pod_from_proto
from master.dispatch import convert
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.node import Node
from master.kinds.core.pod.container import Container, EnvVar, EnvVarSource, ResourceRequirements
from master.kinds.core.pod.keys import (
    ConfigMapKeySelector,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from master.kinds.core.pod.model import (
    Pod,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    PodSpec,
    PodStatus,
    Sysctl,
)
from master.kinds.core.pod.volume import VolumeDevice
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta
from proto.gen import desired_pb2 as wire


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        pytest.param({}, {}, (0, 0, 0, 0, 0, 0), id="nothing"),
        pytest.param({"cpu": "100m", "memory": "64Mi"}, {}, (100, 0, 64 << 20, 0, 0, 0), id="requests"),
        pytest.param({}, {"cpu": "2", "memory": "1G"}, (2000, 2000, 10**9, 10**9, 0, 0), id="limits are requests too"),
        pytest.param({"cpu": "0.5"}, {"cpu": "1"}, (500, 1000, 0, 0, 0, 0), id="both"),
        pytest.param({}, {"ephemeral-storage": "1Ki"}, (0, 0, 0, 0, 1024, 1024), id="a disk"),
        pytest.param({"cpu": "1u"}, {}, (1, 0, 0, 0, 0, 0), id="rounded up"),
    ],
)
def test_quantities_become_numbers(requests: dict[str, str], limits: dict[str, str], expected: tuple[int, ...]) -> None:
    message = convert.resources_message(ResourceRequirements(requests=requests, limits=limits))
    assert expected == (
        message.cpu_request_millis,
        message.cpu_limit_millis,
        message.memory_request_bytes,
        message.memory_limit_bytes,
        message.ephemeral_storage_request_bytes,
        message.ephemeral_storage_limit_bytes,
    )


def resource(name: str, **more: str) -> EnvVarSource:
    return EnvVarSource(resource_field_ref=ResourceFieldSelector(resource=name, **more))


@pytest.mark.parametrize(
    ("source", "field", "expected"),
    [
        pytest.param(None, "value", "v", id="literal"),
        pytest.param(
            EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.podIP")),
            "field_path",
            "status.podIP",
            id="field",
        ),
        pytest.param(
            EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="c", key="k", optional=True)),
            "config_map_key",
            wire.KeyRef(name="c", key="k", optional=True),
            id="config map",
        ),
        pytest.param(
            EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="k")),
            "secret_key",
            wire.KeyRef(name="s", key="k"),
            id="secret",
        ),
        pytest.param(
            EnvVarSource(file_key_ref=FileKeySelector(volume_name="v", path="p", key="k", optional=True)),
            "file_key",
            wire.FileKey(volume="v", path="p", key="k", optional=True),
            id="file",
        ),
        pytest.param(resource("limits.memory", divisor="1Mi"), "value", "128", id="own resources"),
        pytest.param(resource("limits.cpu"), "value", "1", id="cores are rounded up"),
        pytest.param(
            resource("limits.ephemeral-storage", divisor="1Mi"),
            "resource",
            wire.ResourceField(resource="ephemeral-storage", divisor=1 << 20),
            id="a limit of the node",
        ),
        pytest.param(resource("requests.cpu"), "value", "0", id="no request"),
        pytest.param(resource("limits.cpu", container_name="other"), "value", "2", id="resources of another container"),
        pytest.param(
            resource("limits.cpu", container_name="none"),
            "resource",
            wire.ResourceField(resource="cpu", divisor=1000, problem="container none not found"),
            id="no such container",
        ),
    ],
)
def test_variables(source: EnvVarSource | None, field: str, expected: Any) -> None:
    resources = ResourceRequirements(limits={"memory": "128Mi", "cpu": "250m"})
    variable = EnvVar(name="N", value="v" if source is None else "", value_from=source)
    other = Container(name="other", resources=ResourceRequirements(limits={"cpu": "2"}))
    message = convert.env_message(variable, Container(resources=resources), [other])
    assert message.WhichOneof("source") == field
    assert getattr(message, field) == expected


def test_block_devices() -> None:
    device = VolumeDevice(name="disk", device_path="/dev/xvda")
    message = convert.container_message(Container(name="app", volume_devices=(device,)))
    assert list(message.volume_devices) == [wire.VolumeDevice(name="disk", device_path="/dev/xvda")]


def test_settings_of_the_pod() -> None:
    security = PodSecurityContext(
        supplemental_groups=(5, 6),
        fs_group=0,
        fs_group_change_policy="OnRootMismatch",
        sysctls=(Sysctl(name="net.core.somaxconn", value="9"),),
    )
    spec = PodSpec(host_pid=True, host_ipc=True, share_process_namespace=True, security_context=security)
    message = convert.pod_message(Pod(spec=spec))
    assert (message.host_pid, message.host_ipc, message.share_process_namespace) == (True, True, True)
    assert (list(message.supplemental_groups), message.HasField("fs_group"), message.fs_group) == ([5, 6], True, 0)
    assert message.fs_group_change_policy == "OnRootMismatch"
    assert list(message.sysctls) == [wire.Sysctl(name="net.core.somaxconn", value="9")]
    assert not convert.pod_message(Pod()).HasField("fs_group")


@pytest.mark.parametrize(
    ("deletion", "spec", "expected"),
    [
        pytest.param(None, None, 30, id="Kubernetes' default"),
        pytest.param(None, 7, 7, id="the spec's"),
        pytest.param(0, 7, 0, id="the deletion's, also none"),
    ],
)
def test_grace(deletion: int | None, spec: int | None, expected: int) -> None:
    pod = Pod(
        metadata=ObjectMeta(deletion_timestamp="2026-01-01T00:00:00Z", deletion_grace_period_seconds=deletion),
        spec=PodSpec(termination_grace_period_seconds=spec),
    )
    message = convert.pod_message(pod)
    assert message.grace_period_s == expected
    assert message.deletion_timestamp.seconds == 1767225600


@pytest.mark.parametrize(
    ("phase", "expected"),
    [("Pending", ""), ("Running", ""), ("Succeeded", "Succeeded"), ("Failed", "Failed")],
)
def test_only_the_phase_of_a_finished_pod_is_sent(phase: str, expected: str) -> None:
    assert convert.pod_message(Pod(status=PodStatus(phase=phase))).ended_phase == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            ServiceSpec(type="ExternalName", external_name="x.example"), ("", "x.example"), id="external name"
        ),
        pytest.param(ServiceSpec(cluster_ip="None"), ("", ""), id="headless"),
        pytest.param(ServiceSpec(cluster_ip="10.96.0.9"), ("10.96.0.9", ""), id="cluster IP"),
    ],
)
def test_services(spec: ServiceSpec, expected: tuple[str, str]) -> None:
    message = convert.service_message(Service(metadata=ObjectMeta(name="s", namespace="n"), spec=spec))
    assert (message.cluster_ip, message.external_name) == expected


def test_a_name_that_overrides_and_an_input_for_one_client() -> None:
    container = Container(name="a", image="i", stdin=True, stdin_once=True)
    spec = PodSpec(containers=(container,), hostname_override="db.example.org")
    pod = pod_from_proto(convert.pod_message(Pod(spec=spec)))
    assert pod.hostname_override == "db.example.org"
    assert (pod.containers[0].stdin, pod.containers[0].stdin_once) == (True, True)


def test_the_dns_settings_of_a_pod() -> None:
    options = (PodDNSConfigOption(name="ndots", value="2"), PodDNSConfigOption(name="rotate"))
    config = PodDNSConfig(nameservers=("192.0.2.1",), searches=("a.example",), options=options)
    spec = PodSpec(dns_policy="None", dns_config=config, subdomain="web", set_hostname_as_fqdn=True)
    message = convert.pod_message(Pod(spec=spec))
    pod = pod_from_proto(message)
    assert (pod.dns_policy, pod.subdomain, pod.set_hostname_as_fqdn) == ("None", "web", True)
    assert pod.dns_config == model.DnsConfig(("192.0.2.1",), ("a.example",), (("ndots", "2"), ("rotate", "")))
    assert not message.dns_config.options[1].HasField("value")


def test_a_node_gets_the_address_of_dns_if_the_range_has_one() -> None:
    large, small = (convert.node_config(Node(), "10.244.0.0/16", cidr) for cidr in ("10.96.0.0/12", "10.96.0.0/29"))
    assert (large.cluster_dns, large.cluster_domain, small.cluster_dns) == ("10.96.0.10", "cluster.local", "")


def test_service_ports_and_only_ready_endpoints() -> None:
    spec = ServiceSpec(cluster_ip="10.96.0.9", ports=(ServicePort(name="p", port=80, node_port=31002),))
    message = convert.service_message(Service(metadata=ObjectMeta(name="s", namespace="n"), spec=spec))
    assert message is not None
    assert list(message.ports) == [wire.ServicePort(name="p", protocol="TCP", port=80, node_port=31002)]
    ready, late = EndpointAddress(ip="10.244.0.2"), EndpointAddress(ip="10.244.0.3")
    subset = EndpointSubset(addresses=(ready,), not_ready_addresses=(late,), ports=(EndpointPort(port=8080),))
    empty = EndpointSubset(not_ready_addresses=(late,), ports=(EndpointPort(port=8080),))
    both = convert.endpoints_message(Endpoints(metadata=ObjectMeta(name="s", namespace="n"), subsets=(subset, empty)))
    assert [list(subset.addresses) for subset in both.subsets] == [["10.244.0.2"]]


def test_a_secret_has_its_type_and_its_uid() -> None:
    metadata = ObjectMeta(name="s", namespace="default", uid="u1")
    message = convert.secret_message(Secret(metadata=metadata, type="Opaque", data={"k": "dg=="}))
    assert (message.ref.name, dict(message.data), message.type, message.uid) == ("s", {"k": b"v"}, "Opaque", "u1")
