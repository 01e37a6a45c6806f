"""Conversion of API objects to messages: one row for each rule."""

from __future__ import annotations

from typing import Any

import pytest

from agent import model
from agent.wire.desired import pod_from_proto
from master.dispatch import convert
from master.dispatch.security import security_message, unsupported
from master.dispatch.volumes import volume_message
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.node import Node
from master.kinds.core.pod.container import (
    Capabilities,
    Container,
    EnvVar,
    EnvVarSource,
    ResourceRequirements,
    SecurityContext,
)
from master.kinds.core.pod.keys import (
    ConfigMapKeySelector,
    KeyToPath,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from master.kinds.core.pod.model import (
    Pod,
    PodDNSConfig,
    PodDNSConfigOption,
    PodOS,
    PodSecurityContext,
    PodSpec,
    PodStatus,
    Sysctl,
)
from master.kinds.core.pod.profiles import (
    AppArmorProfile,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from master.kinds.core.pod.projected import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from master.kinds.core.pod.storage import PersistentVolumeClaimVolumeSource
from master.kinds.core.pod.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta
from proto.gen import desired_pb2 as wire

PROJECTED = wire.Volume.Projected


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        pytest.param({}, {}, (0, 0, 0, 0), id="nothing"),
        pytest.param({"cpu": "100m", "memory": "64Mi"}, {}, (100, 0, 64 << 20, 0), id="requests"),
        pytest.param({}, {"cpu": "2", "memory": "1G"}, (2000, 2000, 10**9, 10**9), id="limits are requests too"),
        pytest.param({"cpu": "0.5"}, {"cpu": "1"}, (500, 1000, 0, 0), id="both"),
        pytest.param({"cpu": "1u"}, {}, (1, 0, 0, 0), id="rounded up"),
    ],
)
def test_quantities_become_numbers(
    requests: dict[str, str], limits: dict[str, str], expected: tuple[int, int, int, int]
) -> None:
    message = convert.resources_message(ResourceRequirements(requests=requests, limits=limits))
    assert expected == (
        message.cpu_request_millis,
        message.cpu_limit_millis,
        message.memory_request_bytes,
        message.memory_limit_bytes,
    )


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
            EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.memory", divisor="1Mi")),
            "value",
            "128",
            id="own resources",
        ),
        pytest.param(
            EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.cpu")),
            "value",
            "1",
            id="cores are rounded up",
        ),
        pytest.param(
            EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.ephemeral-storage", divisor="1Mi")),
            "resource",
            wire.ResourceField(resource="ephemeral-storage", divisor=1 << 20),
            id="a limit of the node",
        ),
        pytest.param(
            EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="requests.cpu")),
            "value",
            "0",
            id="no request",
        ),
        pytest.param(
            EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.cpu", container_name="other")),
            "value",
            "2",
            id="resources of another container",
        ),
        pytest.param(
            EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.cpu", container_name="none")),
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


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param(Volume(name="v"), wire.Volume(name="v", empty_dir=wire.Volume.EmptyDir()), id="none"),
        pytest.param(
            Volume(name="v", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="1Mi")),
            wire.Volume(name="v", empty_dir=wire.Volume.EmptyDir(medium="Memory", size_limit_bytes=1 << 20)),
            id="emptyDir",
        ),
        pytest.param(
            Volume(name="v", host_path=HostPathVolumeSource(path="/data")),
            wire.Volume(name="v", host_path=wire.Volume.HostPath(path="/data")),
            id="hostPath",
        ),
        pytest.param(
            Volume(name="v", config_map=ConfigMapVolumeSource(name="c", items=(KeyToPath(key="k", path="p", mode=0),))),
            wire.Volume(
                name="v",
                config_map=wire.Volume.Keys(
                    name="c", items=[wire.KeyToPath(key="k", path="p", mode=0)], default_mode=0o644
                ),
            ),
            id="configMap",
        ),
        pytest.param(
            Volume(name="v", secret=SecretVolumeSource(secret_name="s", default_mode=0o400, optional=True)),
            wire.Volume(name="v", secret=wire.Volume.Keys(name="s", default_mode=0o400, optional=True)),
            id="secret",
        ),
        pytest.param(
            Volume(
                name="v",
                downward_api=DownwardAPIVolumeSource(
                    default_mode=0o400,
                    items=(
                        DownwardAPIVolumeFile(path="a", field_ref=ObjectFieldSelector(field_path="metadata.labels")),
                        DownwardAPIVolumeFile(
                            path="b",
                            mode=0,
                            resource_field_ref=ResourceFieldSelector(resource="limits.memory", container_name="app"),
                        ),
                    ),
                ),
            ),
            wire.Volume(
                name="v",
                projected=PROJECTED(
                    default_mode=0o400,
                    sources=[
                        PROJECTED.Source(
                            downward=PROJECTED.Downward(
                                items=[
                                    PROJECTED.File(path="a", field_path="metadata.labels"),
                                    PROJECTED.File(
                                        path="b", mode=0, resource=wire.ResourceField(resource="memory", divisor=1)
                                    ),
                                ]
                            )
                        )
                    ],
                ),
            ),
            id="downwardAPI",
        ),
        pytest.param(
            Volume(
                name="v",
                projected=ProjectedVolumeSource(
                    sources=(
                        VolumeProjection(config_map=ConfigMapProjection(name="c", optional=True)),
                        VolumeProjection(secret=SecretProjection(name="s", items=(KeyToPath(key="k", path="p"),))),
                        VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="t", audience="x")),
                    )
                ),
            ),
            wire.Volume(
                name="v",
                projected=PROJECTED(
                    default_mode=0o644,
                    sources=[
                        PROJECTED.Source(config_map=wire.Volume.Keys(name="c", default_mode=0o644, optional=True)),
                        PROJECTED.Source(
                            secret=wire.Volume.Keys(
                                name="s", default_mode=0o644, items=[wire.KeyToPath(key="k", path="p")]
                            )
                        ),
                        PROJECTED.Source(token=PROJECTED.Token(path="t", audience="x", expiration_s=3600)),
                    ],
                ),
            ),
            id="projected",
        ),
        pytest.param(
            Volume(
                name="v",
                projected=ProjectedVolumeSource(
                    sources=(
                        VolumeProjection(config_map=ConfigMapProjection(name="c")),
                        VolumeProjection(cluster_trust_bundle=ClusterTrustBundleProjection(name="b", path="p")),
                    )
                ),
            ),
            wire.Volume(name="v", unsupported="projected.clusterTrustBundle"),
            id="a source that is not supported",
        ),
        pytest.param(
            Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="c")),
            wire.Volume(name="v", unsupported="persistentVolumeClaim"),
            id="not supported",
        ),
    ],
)
def test_volumes(volume: Volume, expected: wire.Volume) -> None:
    assert volume_message(volume, [Container(name="app")]) == expected


@pytest.mark.parametrize(
    ("own", "pod", "expected"),
    [
        pytest.param(None, None, None, id="nothing"),
        pytest.param(None, PodSecurityContext(run_as_user=5), wire.SecurityContext(run_as_user=5), id="the pod's"),
        pytest.param(
            SecurityContext(run_as_user=0, capabilities=Capabilities(add=("NET_ADMIN",))),
            PodSecurityContext(run_as_user=5, run_as_group=6),
            wire.SecurityContext(run_as_user=0, run_as_group=6, add_capabilities=["NET_ADMIN"]),
            id="the container's first",
        ),
        pytest.param(
            SecurityContext(allow_privilege_escalation=True), None, wire.SecurityContext(), id="escalation is allowed"
        ),
        pytest.param(
            SecurityContext(allow_privilege_escalation=False),
            PodSecurityContext(run_as_non_root=True),
            wire.SecurityContext(run_as_non_root=True, no_new_privileges=True),
            id="restricted",
        ),
        pytest.param(
            SecurityContext(run_as_non_root=False),
            PodSecurityContext(run_as_non_root=True),
            wire.SecurityContext(),
            id="the container may be root",
        ),
        pytest.param(
            SecurityContext(seccomp_profile=SeccompProfile(type="Localhost", localhost_profile="a/b.json")),
            PodSecurityContext(
                seccomp_profile=SeccompProfile(type="RuntimeDefault"),
                app_armor_profile=AppArmorProfile(type="Unconfined"),
            ),
            wire.SecurityContext(
                seccomp=wire.SecurityProfile(type="Localhost", localhost="a/b.json"),
                apparmor=wire.SecurityProfile(type="Unconfined"),
            ),
            id="profiles",
        ),
    ],
)
def test_security(
    own: SecurityContext | None, pod: PodSecurityContext | None, expected: wire.SecurityContext | None
) -> None:
    assert security_message(own, pod) == expected


@pytest.mark.parametrize("options", [SELinuxOptions(), SELinuxOptions(level="s0")])
def test_a_label_of_the_container_or_of_its_pod(options: SELinuxOptions) -> None:
    own, pod = SecurityContext(se_linux_options=options), PodSecurityContext(se_linux_options=options)
    for message in (security_message(own, None), security_message(None, pod)):
        assert message is not None and message.selinux_label is (options != SELinuxOptions())


def test_settings_of_the_pod() -> None:
    security = PodSecurityContext(
        supplemental_groups=(5, 6), fs_group=0, sysctls=(Sysctl(name="net.core.somaxconn", value="9"),)
    )
    spec = PodSpec(host_pid=True, host_ipc=True, share_process_namespace=True, security_context=security)
    message = convert.pod_message(Pod(spec=spec))
    assert (message.host_pid, message.host_ipc, message.share_process_namespace) == (True, True, True)
    assert (list(message.supplemental_groups), message.HasField("fs_group"), message.fs_group) == ([5, 6], True, 0)
    assert list(message.sysctls) == [wire.Sysctl(name="net.core.somaxconn", value="9")]
    assert not convert.pod_message(Pod()).HasField("fs_group")


def container(**fields: Any) -> PodSpec:
    return PodSpec(containers=(Container(name="app", **fields),))


def context(**fields: Any) -> PodSpec:
    return PodSpec(security_context=PodSecurityContext(**fields))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(PodSpec(), [], id="nothing"),
        pytest.param(PodSpec(host_users=True, os=PodOS(name="linux")), [], id="what every node does"),
        pytest.param(PodSpec(host_users=False), ["spec.hostUsers: false"], id="user namespace"),
        pytest.param(PodSpec(os=PodOS(name="windows")), ["spec.os.name: windows"], id="another system"),
        pytest.param(PodSpec(runtime_class_name="kata"), ["spec.runtimeClassName: kata"], id="another runtime"),
        pytest.param(
            context(
                supplemental_groups_policy="Strict",
                windows_options=WindowsSecurityContextOptions(run_as_user_name="a"),
            ),
            [
                "spec.securityContext.supplementalGroupsPolicy: Strict",
                "spec.securityContext.windowsOptions",
            ],
            id="the pod's context",
        ),
        pytest.param(
            context(
                seccomp_profile=SeccompProfile(type="RuntimeDefalt"),
                app_armor_profile=AppArmorProfile(type="Localhost"),
            ),
            ["spec.securityContext.seccompProfile.type: RuntimeDefalt"],
            id="unknown profile",
        ),
        pytest.param(
            container(security_context=SecurityContext(proc_mount="Unmasked")),
            ["spec.containers[app].securityContext.procMount: Unmasked"],
            id="the container's context",
        ),
        pytest.param(
            container(volume_mounts=(VolumeMount(name="v", mount_path="/v", recursive_read_only="Enabled"),)),
            ["spec.containers[app].volumeMounts[/v].recursiveReadOnly: Enabled"],
            id="mounts below a read-only mount",
        ),
    ],
)
def test_settings_that_no_node_carries_out_are_named(spec: PodSpec, expected: list[str]) -> None:
    assert unsupported(spec) == expected
    assert list(convert.pod_message(Pod(spec=spec)).unsupported) == expected


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


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, ""), ("None", ""), ("HostToContainer", "HostToContainer"), ("Bidirectional", "Bidirectional")],
)
def test_mount_propagation(given: str | None, expected: str) -> None:
    mount = VolumeMount(name="v", mount_path="/v", mount_propagation=given)
    (sent,) = convert.container_message(Container(volume_mounts=(mount,))).volume_mounts
    assert sent.propagation == expected
