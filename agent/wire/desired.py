"""From the master's messages to the agent's values (agent/model): pure conversions, one for each message.

Does no I/O and no checks: sanity.py and the master do those. A value that only a newer master knows becomes the
nearest one that this agent knows.
"""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from agent import model
from agent.wire.checks import checks_from_proto
from agent.wire.volumes import resource_from_proto, volume_from_proto
from proto.gen import desired_pb2, session_pb2


def pod_from_proto(pod: desired_pb2.Pod) -> model.Pod:
    """One pod that should run."""
    return model.Pod(
        uid=model.PodUid(pod.uid),
        namespace=pod.namespace,
        name=pod.name,
        containers=tuple(_container(container) for container in pod.containers),
        init_containers=tuple(_container(container) for container in pod.init_containers),
        volumes=tuple(volume_from_proto(volume) for volume in pod.volumes),
        labels=dict(pod.labels),
        annotations=dict(pod.annotations),
        restart_policy=model.RestartPolicy(pod.restart_policy or "Always"),
        host_network=pod.host_network,
        hostname=pod.hostname,
        enable_service_links=pod.enable_service_links,
        host_aliases=tuple(model.HostAlias(alias.ip, tuple(alias.hostnames)) for alias in pod.host_aliases),
        active_deadline_s=pod.active_deadline_s,
        created_at=_moment(pod.creation_timestamp) if pod.HasField("creation_timestamp") else 0.0,
        generation=pod.generation,
        deletion_at=_moment(pod.deletion_timestamp) if pod.HasField("deletion_timestamp") else 0.0,
        grace_period_s=pod.grace_period_s,
        service_account=pod.service_account,
        ended_phase=model.PodPhase(pod.ended_phase) if pod.ended_phase else None,
        host_pid=pod.host_pid,
        host_ipc=pod.host_ipc,
        share_process_namespace=pod.share_process_namespace,
        supplemental_groups=tuple(pod.supplemental_groups),
        fs_group=pod.fs_group if pod.HasField("fs_group") else None,
        fs_group_on_mismatch=pod.fs_group_change_policy == "OnRootMismatch",
        groups_policy=pod.supplemental_groups_policy,
        sysctls=tuple(model.Sysctl(dotted(sysctl.name), sysctl.value) for sysctl in pod.sysctls),
        unsupported=tuple(pod.unsupported),
        dns_policy=_dns_policy(pod.dns_policy),
        dns_config=_dns_config(pod.dns_config) if pod.HasField("dns_config") else None,
        subdomain=pod.subdomain,
        set_hostname_as_fqdn=pod.set_hostname_as_fqdn,
        hostname_override=pod.hostname_override,
        pull_secrets=tuple(pod.image_pull_secrets),
        ephemeral_containers=tuple(_container(container) for container in pod.ephemeral_containers),
        priority=pod.priority,
    )


def dotted(sysctl: str) -> str:
    """The parameter's name with dots as separators. If its first separator is a slash, as sysctl(8) allows, dots and
    slashes change places, because the name of an interface may contain a dot.
    """
    first = next((character for character in sysctl if character in "./"), ".")
    return sysctl if first == "." else sysctl.translate(str.maketrans("./", "/."))


def service_from_proto(service: desired_pb2.Service) -> model.ServiceEnv:
    """A service, for service variables; a headless one has an empty cluster IP and makes no variables."""
    return model.ServiceEnv(
        ref=ref_from_proto(service.ref),
        cluster_ip=service.cluster_ip,
        ports=tuple(model.ServiceEnvPort(port.name, port.protocol or "TCP", port.port) for port in service.ports),
    )


def config_map_from_proto(config_map: desired_pb2.ConfigMap) -> model.ConfigMap:
    """A config map; text becomes UTF-8."""
    data = {key: value.encode() for key, value in config_map.data.items()}
    binary = dict(config_map.binary_data)
    return model.ConfigMap(ref_from_proto(config_map.ref), data | binary, frozenset(binary))


def secret_from_proto(secret: desired_pb2.Secret) -> model.Secret:
    """A secret."""
    return model.Secret(ref_from_proto(secret.ref), dict(secret.data), secret.type, secret.uid)


def ref_from_proto(ref: desired_pb2.ObjectRef) -> model.ObjectRef:
    """A reference."""
    return model.ObjectRef(ref.namespace, ref.name)


def log_request_from_proto(request: session_pb2.LogRequest) -> model.LogRequest:
    """A request for a container's log."""
    options = model.LogOptions(
        follow=request.follow,
        previous=request.previous,
        timestamps=request.timestamps,
        tail_lines=request.tail_lines if request.HasField("tail_lines") else None,
        since_at=float(request.since_unix_s),
        since_s=float(request.since_s),
        limit_bytes=request.limit_bytes,
    )
    return model.LogRequest(request.namespace, request.pod, model.PodUid(request.pod_uid), request.container, options)


def process_request_from_proto(request: session_pb2.StreamRequest) -> model.ProcessRequest:
    """A request for a process: a new one, or the main one of a container."""
    wanted = request.exec if request.HasField("exec") else request.attach
    return model.ProcessRequest(
        wanted.namespace,
        wanted.pod,
        model.PodUid(wanted.pod_uid),
        wanted.container,
        command=tuple(wanted.command),
        stdin=wanted.stdin,
        stdout=wanted.stdout,
        stderr=wanted.stderr,
        tty=wanted.tty,
    )


def _dns_policy(policy: str) -> model.DnsPolicy:
    try:
        return model.DnsPolicy(policy)
    except ValueError:
        return model.DnsPolicy.CLUSTER_FIRST  # of an older master, or of a newer one


def _dns_config(config: desired_pb2.DnsConfig) -> model.DnsConfig:
    return model.DnsConfig(
        tuple(config.nameservers),
        tuple(config.searches),
        tuple((option.name, option.value) for option in config.options),
    )


def connection_request_from_proto(request: session_pb2.PortForwardRequest) -> model.ConnectionRequest:
    """A request for a connection to a pod."""
    return model.ConnectionRequest(
        request.namespace,
        request.pod,
        model.PodUid(request.pod_uid),
        request.port,
        by_pod_address=request.by_pod_address,
    )


def _container(container: desired_pb2.Container) -> model.Container:
    resources = container.resources
    return model.Container(
        name=container.name,
        image=container.image,
        command=tuple(container.command),
        args=tuple(container.args),
        working_dir=container.working_dir,
        env_from=tuple(
            model.EnvFrom(source.name, source.prefix, source.optional, source.secret) for source in container.env_from
        ),
        env=tuple(_env_var(variable) for variable in container.env),
        ports=tuple(
            model.ContainerPort(port.container_port, port.name, port.host_port, port.protocol or "TCP", port.host_ip)
            for port in container.ports
        ),
        resources=model.Resources(
            resources.cpu_request_millis,
            resources.cpu_limit_millis,
            resources.memory_request_bytes,
            resources.memory_limit_bytes,
            resources.ephemeral_storage_request_bytes,
            resources.ephemeral_storage_limit_bytes,
        ),
        volume_mounts=tuple(
            model.VolumeMount(
                mount.name,
                mount.mount_path,
                mount.sub_path,
                mount.read_only,
                mount.sub_path_expr,
                mount.propagation,
                mount.recursive_read_only,
            )
            for mount in container.volume_mounts
        ),
        volume_devices=tuple(
            model.VolumeDevice(device.name, device.device_path) for device in container.volume_devices
        ),
        pull_policy=model.PullPolicy(container.image_pull_policy or "IfNotPresent"),
        security=_security(container.security_context),
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        termination_message_path=container.termination_message_path or "/dev/termination-log",
        termination_message_from_log=container.termination_message_from_log,
        restart_policy=model.RestartPolicy(container.restart_policy) if container.restart_policy else None,
        restart_rules=tuple(
            model.RestartRule(rule.action, rule.operator, frozenset(rule.exit_codes))
            for rule in container.restart_rules
        ),
        checks=checks_from_proto(container),
        target=container.target_container,
    )


def _env_var(variable: desired_pb2.EnvVar) -> model.EnvVar:
    source = variable.WhichOneof("source")
    return model.EnvVar(
        name=variable.name,
        value=variable.value,
        field_path=variable.field_path,
        config_map_key=_key_ref(variable.config_map_key) if source == "config_map_key" else None,
        secret_key=_key_ref(variable.secret_key) if source == "secret_key" else None,
        resource=resource_from_proto(variable.resource) if source == "resource" else None,
        file_key=_file_key(variable.file_key) if source == "file_key" else None,
    )


def _file_key(ref: desired_pb2.FileKey) -> model.FileKey:
    return model.FileKey(ref.volume, ref.path, ref.key, ref.optional)


def _key_ref(ref: desired_pb2.KeyRef) -> model.KeyRef:
    return model.KeyRef(ref.name, ref.key, ref.optional)


def _security(context: desired_pb2.SecurityContext) -> model.SecurityContext:
    return model.SecurityContext(
        run_as_user=context.run_as_user if context.HasField("run_as_user") else None,
        run_as_group=context.run_as_group if context.HasField("run_as_group") else None,
        privileged=context.privileged,
        read_only_root_filesystem=context.read_only_root_filesystem,
        add_capabilities=tuple(context.add_capabilities),
        drop_capabilities=tuple(context.drop_capabilities),
        run_as_non_root=context.run_as_non_root,
        no_new_privileges=context.no_new_privileges,
        seccomp=_profile(context.seccomp) if context.HasField("seccomp") else None,
        apparmor=_profile(context.apparmor) if context.HasField("apparmor") else None,
        selinux_label=context.selinux_label,
    )


def _profile(profile: desired_pb2.SecurityProfile) -> model.Profile:
    return model.Profile(profile.type, profile.localhost)


def _moment(timestamp: Timestamp) -> float:
    return timestamp.seconds + timestamp.nanos / 1e9
