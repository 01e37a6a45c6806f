"""Kubernetes' defaults for pod specs, in pods and in templates."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from master.kinds.core.pod.container import (
    Container,
    EnvVar,
    LifecycleHandler,
    Probe,
    ResourceRequirements,
)
from master.kinds.core.pod.model import PodSecurityContext, PodSpec
from master.kinds.core.pod.volumedefaults import (
    default_field_ref,
    default_resource_ref,
    default_volume,
    pull_policy,
)
from master.kinds.quantities import canonical_quantities

C = TypeVar("C", bound=Container)


def default_pod_spec(spec: PodSpec) -> PodSpec:
    """The spec of a pod with all defaults."""
    spec = default_template_spec(spec)
    return replace(
        spec,
        init_containers=tuple(_for_pod(c, host_network=spec.host_network) for c in spec.init_containers),
        containers=tuple(_for_pod(c, host_network=spec.host_network) for c in spec.containers),
        enable_service_links=True if spec.enable_service_links is None else spec.enable_service_links,
    )


def default_template_spec(spec: PodSpec) -> PodSpec:
    """The spec of a template with its defaults. Some others are set only in the pods that are made from it."""
    account = spec.service_account_name or spec.service_account
    return replace(
        spec,
        volumes=tuple(default_volume(volume) for volume in spec.volumes),
        init_containers=tuple(map(default_container, spec.init_containers)),
        containers=tuple(map(default_container, spec.containers)),
        overhead=canonical_quantities(spec.overhead),
        resources=spec.resources and _resources(spec.resources),
        restart_policy=spec.restart_policy or "Always",
        dns_policy=spec.dns_policy or "ClusterFirst",
        scheduler_name=spec.scheduler_name or "default-scheduler",
        service_account_name=account,
        service_account=account,
        termination_grace_period_seconds=(
            30 if spec.termination_grace_period_seconds is None else spec.termination_grace_period_seconds
        ),
        security_context=spec.security_context or PodSecurityContext(),
    )


def _for_pod(container: Container, *, host_network: bool) -> Container:
    """A missing request is the limit. With the network of the node, each container port is a port of the node."""
    resources = container.resources
    if resources.limits:
        resources = replace(resources, requests={**resources.limits, **resources.requests})
    ports = container.ports
    if host_network:
        ports = tuple(replace(port, host_port=port.host_port or port.container_port) for port in ports)
    return replace(container, resources=resources, ports=ports)


def default_container(container: C) -> C:
    """The container with its defaults, wherever it is."""
    lifecycle = container.lifecycle
    if lifecycle is not None:
        lifecycle = replace(lifecycle, post_start=_handler(lifecycle.post_start), pre_stop=_handler(lifecycle.pre_stop))
    return replace(
        container,
        ports=tuple(replace(port, protocol=port.protocol or "TCP") for port in container.ports),
        env=tuple(_env(variable) for variable in container.env),
        resources=_resources(container.resources),
        liveness_probe=_probe(container.liveness_probe),
        readiness_probe=_probe(container.readiness_probe),
        startup_probe=_probe(container.startup_probe),
        lifecycle=lifecycle,
        termination_message_path=container.termination_message_path or "/dev/termination-log",
        termination_message_policy=container.termination_message_policy or "File",
        image_pull_policy=container.image_pull_policy or pull_policy(container.image),
    )


def _env(variable: EnvVar) -> EnvVar:
    source = variable.value_from
    if source is None:
        return variable
    field, resource = source.field_ref, source.resource_field_ref
    if field is not None:
        source = replace(source, field_ref=default_field_ref(field))
    if resource is not None:
        source = replace(source, resource_field_ref=default_resource_ref(resource))
    return replace(variable, value_from=source)


def _resources(resources: ResourceRequirements) -> ResourceRequirements:
    """The resources with canonical quantities."""
    return replace(
        resources,
        limits=canonical_quantities(resources.limits),
        requests=canonical_quantities(resources.requests),
    )


def _probe(probe: Probe | None) -> Probe | None:
    if probe is None:
        return None
    http = probe.http_get
    return replace(
        probe,
        http_get=http and replace(http, path=http.path or "/", scheme=http.scheme or "HTTP"),
        grpc=probe.grpc and replace(probe.grpc, service=probe.grpc.service or ""),
        timeout_seconds=probe.timeout_seconds or 1,
        period_seconds=probe.period_seconds or 10,
        success_threshold=probe.success_threshold or 1,
        failure_threshold=probe.failure_threshold or 3,
    )


def _handler(handler: LifecycleHandler | None) -> LifecycleHandler | None:
    if handler is None or handler.http_get is None:
        return handler
    http = handler.http_get
    return replace(handler, http_get=replace(http, path=http.path or "/", scheme=http.scheme or "HTTP"))
