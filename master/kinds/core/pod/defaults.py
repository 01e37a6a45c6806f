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
<<<<<<< HEAD
from master.kinds.core.pod.volumedefaults import (
    default_field_ref,
    default_resource_ref,
    default_volume,
    pull_policy,
)
from master.kinds.quantities import canonical_quantities
=======
from master.kinds.core.pod.projected import DownwardAPIProjection, DownwardAPIVolumeSource, VolumeProjection
from master.kinds.core.pod.storage import EphemeralVolumeSource, VolumeResourceRequirements
from master.kinds.core.pod.volume import EmptyDirVolumeSource, Volume
from master.kinds.quantities import canonical_quantities, canonical_quantity

_SOURCES = tuple(name for name in Volume.__struct_fields__ if name != "name")
_MODE = 0o644
_TOKEN_LIFE_S = 3600
_DownwardAPI = TypeVar("_DownwardAPI", DownwardAPIVolumeSource, DownwardAPIProjection)
>>>>>>> tmp-w


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
        init_containers=tuple(_container(container) for container in spec.init_containers),
        containers=tuple(_container(container) for container in spec.containers),
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
        resources=spec.resources and _resources(spec.resources),
    )


<<<<<<< HEAD
=======
def volume_sources(volume: Volume) -> list[str]:
    """The names of the sources that the volume has. A valid volume has exactly one."""
    return [name for name in _SOURCES if getattr(volume, name) is not None]


def _volume(volume: Volume) -> Volume:
    if not volume_sources(volume):
        return replace(volume, empty_dir=EmptyDirVolumeSource())
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        size = canonical_quantity(volume.empty_dir.size_limit)
        return replace(volume, empty_dir=replace(volume.empty_dir, size_limit=size))
    if volume.host_path is not None and volume.host_path.type is None:
        return replace(volume, host_path=replace(volume.host_path, type=""))
    if volume.downward_api is not None:
        volume = replace(volume, downward_api=_downward_api(volume.downward_api))
    if volume.projected is not None:
        sources = tuple(_projection(source) for source in volume.projected.sources)
        volume = replace(volume, projected=replace(volume.projected, sources=sources))
    if volume.ephemeral is not None:
        return replace(volume, ephemeral=_ephemeral(volume.ephemeral))
    if volume.image is not None:
        policy = volume.image.pull_policy or pull_policy(volume.image.reference)
        return replace(volume, image=replace(volume.image, pull_policy=policy))
    for name in ("secret", "config_map", "downward_api", "projected"):
        source = getattr(volume, name)
        if source is not None and source.default_mode is None:
            return replace(volume, **{name: replace(source, default_mode=_MODE)})
    return volume


def _projection(source: VolumeProjection) -> VolumeProjection:
    token = source.service_account_token
    if token is not None and token.expiration_seconds is None:
        source = replace(source, service_account_token=replace(token, expiration_seconds=_TOKEN_LIFE_S))
    return replace(source, downward_api=source.downward_api and _downward_api(source.downward_api))


def _ephemeral(source: EphemeralVolumeSource) -> EphemeralVolumeSource:
    template = source.volume_claim_template
    if template is None:
        return source
    spec = template.spec
    resources = VolumeResourceRequirements(
        limits=canonical_quantities(spec.resources.limits), requests=canonical_quantities(spec.resources.requests)
    )
    spec = replace(spec, volume_mode=spec.volume_mode or "Filesystem", resources=resources)
    return replace(source, volume_claim_template=replace(template, spec=spec))


def _downward_api(source: _DownwardAPI) -> _DownwardAPI:
    items = tuple(
        replace(
            item,
            field_ref=item.field_ref and _field_ref(item.field_ref),
            resource_field_ref=item.resource_field_ref and _resource_ref(item.resource_field_ref),
        )
        for item in source.items
    )
    return replace(source, items=items)


def pull_policy(image: str) -> str:
    """The default pull policy: Always for the tag `latest` and without a tag, IfNotPresent with a tag or digest."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


>>>>>>> tmp-w
def _for_pod(container: Container, *, host_network: bool) -> Container:
    """A missing request is the limit. With the network of the node, each container port is a port of the node."""
    resources = container.resources
    if resources.limits:
        resources = replace(resources, requests={**resources.limits, **resources.requests})
    ports = container.ports
    if host_network:
        ports = tuple(replace(port, host_port=port.host_port or port.container_port) for port in ports)
    return replace(container, resources=resources, ports=ports)


def _container(container: Container) -> Container:
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
