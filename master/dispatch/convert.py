"""Converts API objects to messages of the contract: pods, services, endpoints, peers, config maps and secrets.

Owns the pure conversions, one for each kind. Quantities become millicores and bytes, because the wire carries no
Kubernetes quantities. view.py decides which node gets what.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from master.dispatch.claims import Claims
from master.dispatch.probes import lifecycle_message, probe_message
from master.dispatch.resourcefields import resource_message, text_of
from master.dispatch.security import security_message, unsupported
from master.dispatch.volumes import volume_message
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.node import Node
from master.kinds.core.pod.container import Container, EnvVar, EphemeralContainer, ResourceRequirements
from master.kinds.core.pod.model import Pod, PodDNSConfig, PodSecurityContext
from master.kinds.core.pod.volume import VolumeMount
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service
from master.objects.meta import parse_time
from master.schema.quantity import bytes_of as resource_bytes
from master.schema.quantity import millis_of as cpu_millis
from proto import checks, contract
from proto.gen import desired_pb2 as wire

DEFAULT_GRACE_S = 30
ENDED_PHASES = frozenset({"Succeeded", "Failed"})
HEADLESS = "None"
DISK = "ephemeral-storage"


def pod_message(pod: Pod, claims: Claims | None = None) -> wire.Pod:
    """The parts of a pod that its node needs. Without `claims`, volumes that use claims are unsupported."""
    meta, spec = pod.metadata, pod.spec
    security = spec.security_context or PodSecurityContext()
    containers = (*spec.init_containers, *spec.containers)
    claimed = partial(claims.of, pod) if claims is not None else None
    grace_s = meta.deletion_grace_period_seconds
    if grace_s is None:
        grace_s = spec.termination_grace_period_seconds
    message = wire.Pod(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        labels=meta.labels,
        annotations=meta.annotations,
        deletion_timestamp=_timestamp(meta.deletion_timestamp),
        grace_period_s=DEFAULT_GRACE_S if grace_s is None else _seconds(grace_s),
        restart_policy=spec.restart_policy or "Always",
        init_containers=[container_message(each, spec.security_context, containers) for each in spec.init_containers],
        containers=[container_message(each, spec.security_context, containers) for each in spec.containers],
        volumes=[volume_message(volume, containers, claimed) for volume in spec.volumes],
        host_network=spec.host_network,
        hostname=spec.hostname,
        enable_service_links=spec.enable_service_links is not False,
        host_aliases=[wire.HostAlias(ip=alias.ip, hostnames=alias.hostnames) for alias in spec.host_aliases],
        active_deadline_s=_seconds(spec.active_deadline_seconds or 0),
        creation_timestamp=_timestamp(meta.creation_timestamp),
        generation=meta.generation,
        service_account=spec.service_account_name or spec.service_account,
        # The node itself reports the other phases: sending them back would cost a message for each report.
        ended_phase=pod.status.phase if pod.status.phase in ENDED_PHASES else "",
        host_pid=spec.host_pid,
        host_ipc=spec.host_ipc,
        share_process_namespace=bool(spec.share_process_namespace),
        supplemental_groups=security.supplemental_groups,
        fs_group=security.fs_group,
        fs_group_change_policy=security.fs_group_change_policy or "",
        supplemental_groups_policy=security.supplemental_groups_policy or "",
        sysctls=[wire.Sysctl(name=sysctl.name, value=sysctl.value) for sysctl in security.sysctls],
        unsupported=unsupported(spec),
        dns_policy=spec.dns_policy,
        dns_config=_dns_config(spec.dns_config),
        subdomain=spec.subdomain,
        set_hostname_as_fqdn=bool(spec.set_hostname_as_fqdn),
        hostname_override=spec.hostname_override or "",
        image_pull_secrets=[ref.name for ref in spec.image_pull_secrets if ref.name],
        ephemeral_containers=[
            _ephemeral_message(each, spec.security_context, containers) for each in spec.ephemeral_containers
        ],
        priority=spec.priority or 0,
    )
    return message


def container_message(
    container: Container, pod_security: PodSecurityContext | None = None, containers: Sequence[Container] = ()
) -> wire.Container:
    """A container of `containers`. The pod's security context applies where the container's own is silent."""
    return wire.Container(
        name=container.name,
        image=container.image,
        command=container.command,
        args=container.args,
        working_dir=container.working_dir,
        env_from=[
            wire.EnvFrom(prefix=source.prefix, name=ref.name, optional=bool(ref.optional), secret=secret)
            for source in container.env_from
            for ref, secret in ((source.config_map_ref, False), (source.secret_ref, True))
            if ref is not None
        ],
        env=[env_message(variable, container, containers) for variable in container.env],
        ports=[
            wire.ContainerPort(
                name=port.name,
                container_port=port.container_port,
                host_port=port.host_port,
                protocol=port.protocol or "TCP",
                host_ip=port.host_ip,
            )
            for port in container.ports
        ],
        resources=resources_message(container.resources),
        volume_mounts=[_mount_message(mount) for mount in container.volume_mounts],
        volume_devices=[
            wire.VolumeDevice(name=device.name, device_path=device.device_path) for device in container.volume_devices
        ],
        image_pull_policy=container.image_pull_policy or "IfNotPresent",
        security_context=security_message(container.security_context, pod_security),
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        termination_message_path=container.termination_message_path,
        restart_policy=container.restart_policy or "",
        termination_message_from_log=container.termination_message_policy == "FallbackToLogsOnError",
        liveness_probe=probe_message(container.liveness_probe, container),
        readiness_probe=probe_message(container.readiness_probe, container),
        startup_probe=probe_message(container.startup_probe, container),
        lifecycle=lifecycle_message(container.lifecycle, container),
        restart_rules=[
            wire.RestartRule(action=rule.action, operator=codes.operator, exit_codes=codes.values)
            for rule in container.restart_policy_rules
            if (codes := rule.exit_codes) is not None
        ],
    )


def _mount_message(mount: VolumeMount) -> wire.VolumeMount:
    """Values with which nothing happens are empty."""
    return wire.VolumeMount(
        name=mount.name,
        mount_path=mount.mount_path,
        sub_path=mount.sub_path,
        read_only=mount.read_only,
        sub_path_expr=mount.sub_path_expr,
        recursive_read_only="" if mount.recursive_read_only == "Disabled" else mount.recursive_read_only or "",
        propagation="" if mount.mount_propagation == "None" else mount.mount_propagation or "",
    )


def _ephemeral_message(
    container: EphemeralContainer, pod_security: PodSecurityContext | None, containers: Sequence[Container]
) -> wire.Container:
    message = container_message(container, pod_security, containers)
    message.target_container = container.target_container_name
    return message


def env_message(variable: EnvVar, container: Container, containers: Sequence[Container] = ()) -> wire.EnvVar:
    """An environment variable. References to resources are resolved here, but for limits that come from the node."""
    source = variable.value_from
    message = wire.EnvVar(name=variable.name)
    if source is None:
        message.value = variable.value
    elif source.field_ref is not None:
        message.field_path = source.field_ref.field_path
    elif source.config_map_key_ref is not None:
        ref = source.config_map_key_ref
        message.config_map_key.CopyFrom(wire.KeyRef(name=ref.name, key=ref.key, optional=bool(ref.optional)))
    elif source.secret_key_ref is not None:
        key = source.secret_key_ref
        message.secret_key.CopyFrom(wire.KeyRef(name=key.name, key=key.key, optional=bool(key.optional)))
    elif source.file_key_ref is not None:
        file = source.file_key_ref
        message.file_key.CopyFrom(
            wire.FileKey(volume=file.volume_name, path=file.path, key=file.key, optional=bool(file.optional))
        )
    elif source.resource_field_ref is not None:
        resource = resource_message(source.resource_field_ref, containers, container)
        if (text := text_of(resource)) is not None:
            message.value = text
        else:
            message.resource.CopyFrom(resource)
    return message


def resources_message(resources: ResourceRequirements) -> wire.Resources:
    """Requests and limits as numbers. A missing request is the limit, which is Kubernetes' default."""
    requests, limits = resources.requests, resources.limits
    return wire.Resources(
        cpu_request_millis=cpu_millis(requests.get("cpu", limits.get("cpu", "0"))),
        cpu_limit_millis=cpu_millis(limits.get("cpu", "0")),
        memory_request_bytes=resource_bytes(requests.get("memory", limits.get("memory", "0"))),
        memory_limit_bytes=resource_bytes(limits.get("memory", "0")),
        ephemeral_storage_request_bytes=resource_bytes(requests.get(DISK, limits.get(DISK, "0"))),
        ephemeral_storage_limit_bytes=resource_bytes(limits.get(DISK, "0")),
    )


def last_message(pod: Pod) -> wire.Pod:
    """What ends a pod that cannot be sent: its identity and its deletion."""
    meta = pod.metadata
    return wire.Pod(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        deletion_timestamp=_timestamp(meta.deletion_timestamp),
        grace_period_s=_seconds(meta.deletion_grace_period_seconds or 0),
    )


def service_message(service: Service) -> wire.Service:
    """The parts of a service that nodes need."""
    spec, ref = service.spec, object_ref(service.metadata.namespace, service.metadata.name)
    if spec.type == "ExternalName":
        return wire.Service(ref=ref, external_name=spec.external_name)
    return wire.Service(
        ref=ref,
        cluster_ip="" if spec.cluster_ip == HEADLESS else spec.cluster_ip,
        ports=[
            wire.ServicePort(name=port.name, protocol=port.protocol or "TCP", port=port.port, node_port=port.node_port)
            for port in spec.ports
        ],
    )


def endpoints_message(endpoints: Endpoints) -> wire.ServiceEndpoints:
    """The ready addresses of a service, for sessions without slices (endpoints.py)."""
    return wire.ServiceEndpoints(
        ref=object_ref(endpoints.metadata.namespace, endpoints.metadata.name),
        subsets=[
            wire.EndpointSubset(
                addresses=[address.ip for address in subset.addresses if is_ipv4(address.ip)],
                ports=[
                    wire.EndpointPort(name=port.name, protocol=port.protocol or "TCP", port=port.port)
                    for port in subset.ports
                    if is_served(port.protocol)
                ],
            )
            for subset in endpoints.subsets
            if subset.addresses
        ],
    )


def is_served(protocol: str) -> bool:
    """Whether agents know the protocol of an endpoint's port. The API does not check what people write there."""
    return protocol in checks.PROTOCOLS


def is_ipv4(address: str) -> bool:
    """Whether the address, which the API checked, is one of IPv4: nodes have no other addresses for services."""
    return ":" not in address


def peer_message(node: Node) -> wire.Peer | None:
    """A node as its peers need it; None while its address or pod CIDR is unknown."""
    if not is_addressed(node):
        return None
    return wire.Peer(name=node.metadata.name, address=node_address(node), pod_cidr=node.spec.pod_cidr)


def node_config(node: Node, cluster_cidr: str, service_cidr: str) -> wire.NodeConfig:
    """The node's configuration in the cluster's networks."""
    return wire.NodeConfig(
        pod_cidr=node.spec.pod_cidr,
        cluster_cidr=cluster_cidr,
        service_cidr=service_cidr,
        node_address=node_address(node),
        cluster_domain=contract.CLUSTER_DOMAIN,
        cluster_dns=contract.dns_address(service_cidr),
    )


def is_addressed(node: Node) -> bool:
    """Whether the node's address and its pod CIDR are known."""
    return bool(node_address(node) and node.spec.pod_cidr)


def node_address(node: Node) -> str:
    """The node's InternalIP; empty without one."""
    return next((address.address for address in node.status.addresses if address.type == "InternalIP"), "")


def config_map_message(config_map: ConfigMap) -> wire.ConfigMap:
    """A config map with its data decoded."""
    return wire.ConfigMap(
        ref=object_ref(config_map.metadata.namespace, config_map.metadata.name),
        data=config_map.data,
        binary_data={key: _decode(value) for key, value in config_map.binary_data.items()},
    )


def secret_message(secret: Secret) -> wire.Secret:
    """A secret with its data decoded."""
    return wire.Secret(
        ref=object_ref(secret.metadata.namespace, secret.metadata.name),
        data={key: _decode(value) for key, value in secret.data.items()},
        type=secret.type,
        uid=secret.metadata.uid,
    )


def object_ref(namespace: str, name: str) -> wire.ObjectRef:
    return wire.ObjectRef(namespace=namespace, name=name)


def _dns_config(config: PodDNSConfig | None) -> wire.DnsConfig | None:
    if config is None:
        return None
    return wire.DnsConfig(
        nameservers=config.nameservers,
        searches=config.searches,
        options=[wire.DnsConfig.Option(name=option.name, value=option.value) for option in config.options],
    )


def _timestamp(text: str) -> Timestamp | None:
    if not text:
        return None
    # A time from a wrong clock is brought within the years that agents accept: a deletion must not be lost.
    return Timestamp(seconds=min(max(int(parse_time(text).timestamp()), 1), checks.YEAR_10000 - 1))


def _seconds(number: int) -> int:
    """The duration within the bounds of agents."""
    return min(max(number, 0), checks.MAX_SECONDS)


def _decode(text: str) -> bytes:
    """Decodes base64, which the API checked before it stored the object; empty when it is invalid all the same."""
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""
