"""Kubernetes' defaults for the volumes of pods, and for references to fields of the pod."""

from __future__ import annotations

from msgspec.structs import replace

from master.kinds.core.pod.claim import default_claim_spec
from master.kinds.core.pod.keys import ObjectFieldSelector, ResourceFieldSelector
from master.kinds.core.pod.projected import DownwardAPIVolumeFile, VolumeProjection
from master.kinds.core.pod.storage import EphemeralVolumeSource
from master.kinds.core.pod.volume import EmptyDirVolumeSource, Volume
from master.kinds.quantities import canonical_quantity

_SOURCES = tuple(name for name in Volume.__struct_fields__ if name != "name")
_MODE = 0o644
# How long a token is valid, in seconds.
_TOKEN_S = 3600


def volume_sources(volume: Volume) -> list[str]:
    """The names of the sources that the volume has. A valid volume has exactly one."""
    return [name for name in _SOURCES if getattr(volume, name) is not None]


def default_volume(volume: Volume) -> Volume:
    """The volume with all defaults. Without a source it is an emptyDir."""
    if not volume_sources(volume):
        return replace(volume, empty_dir=EmptyDirVolumeSource())
    volume = _with_files(volume)
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        size = canonical_quantity(volume.empty_dir.size_limit)
        volume = replace(volume, empty_dir=replace(volume.empty_dir, size_limit=size))
    if volume.host_path is not None and volume.host_path.type is None:
        volume = replace(volume, host_path=replace(volume.host_path, type=""))
    if volume.image is not None and not volume.image.pull_policy:
        volume = replace(volume, image=replace(volume.image, pull_policy=pull_policy(volume.image.reference)))
    if volume.ephemeral is not None:
        volume = replace(volume, ephemeral=_ephemeral(volume.ephemeral))
    return volume


def _with_files(volume: Volume) -> Volume:
    """The defaults of volumes that have files with the values of other objects."""
    if volume.downward_api is not None:
        items = tuple(_file(item) for item in volume.downward_api.items)
        volume = replace(volume, downward_api=replace(volume.downward_api, items=items))
    if volume.projected is not None:
        sources = tuple(_projection(source) for source in volume.projected.sources)
        volume = replace(volume, projected=replace(volume.projected, sources=sources))
    for name in ("secret", "config_map", "downward_api", "projected"):
        source = getattr(volume, name)
        if source is not None and source.default_mode is None:
            volume = replace(volume, **{name: replace(source, default_mode=_MODE)})
    return volume


def _projection(source: VolumeProjection) -> VolumeProjection:
    token, fields = source.service_account_token, source.downward_api
    if token is not None and token.expiration_seconds is None:
        source = replace(source, service_account_token=replace(token, expiration_seconds=_TOKEN_S))
    if fields is not None:
        items = tuple(_file(item) for item in fields.items)
        source = replace(source, downward_api=replace(fields, items=items))
    return source


def _file(item: DownwardAPIVolumeFile) -> DownwardAPIVolumeFile:
    return replace(
        item,
        field_ref=item.field_ref and default_field_ref(item.field_ref),
        resource_field_ref=item.resource_field_ref and default_resource_ref(item.resource_field_ref),
    )


def _ephemeral(source: EphemeralVolumeSource) -> EphemeralVolumeSource:
    template = source.volume_claim_template
    if template is None:
        return source
    spec = default_claim_spec(template.spec)
    return replace(source, volume_claim_template=replace(template, spec=spec))


def default_field_ref(ref: ObjectFieldSelector) -> ObjectFieldSelector:
    """A field of version v1."""
    return replace(ref, api_version=ref.api_version or "v1")


def default_resource_ref(ref: ResourceFieldSelector) -> ResourceFieldSelector:
    """A divisor of 0 stands for 1."""
    return replace(ref, divisor="0" if ref.divisor is None else canonical_quantity(ref.divisor))


def pull_policy(image: str) -> str:
    """The default pull policy: Always for the tag `latest` and without a tag, IfNotPresent with a tag or digest."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"
