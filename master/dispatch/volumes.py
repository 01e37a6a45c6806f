"""Converts the volumes of pods to messages of the contract. Pure functions.

Of a source that no node supports only the name is sent: the pod waits, and its reason has the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from master.component.boundclaims import Claimed
from master.dispatch.resourcefields import resource_message
from master.kinds.core.persistentvolume import COMMON_FIELDS
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.projected import (
    ConfigMapProjection,
    DownwardAPIVolumeFile,
    ProjectedVolumeSource,
    SecretProjection,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from master.kinds.core.pod.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    SecretVolumeSource,
    Volume,
)
from master.schema.quantity import bytes_of
from proto.gen import desired_pb2 as wire

DEFAULT_MODE: Final = 0o644
_TOKEN_S: Final = 3600
# In the order of the API.
_UNSUPPORTED: Final = {"cluster_trust_bundle": "clusterTrustBundle", "pod_certificate": "podCertificate"}


_Keys = ConfigMapVolumeSource | SecretVolumeSource | ConfigMapProjection | SecretProjection


def volume_message(
    volume: Volume, containers: Iterable[Container] = (), claimed: Callable[[Volume], Claimed] | None = None
) -> wire.Volume:
    """A volume with its source. `containers`: those of the pod, init containers too.

    `claimed`: what is behind a volume that uses a claim. Without it, such volumes are not supported.
    """
    message = wire.Volume(name=volume.name)
    if claimed is not None and (volume.persistent_volume_claim is not None or volume.ephemeral is not None):
        _set_claimed(message, volume, claimed(volume))
    elif volume.nfs is not None:
        nfs = volume.nfs
        message.nfs.CopyFrom(wire.Volume.Nfs(server=nfs.server, path=nfs.path, read_only=nfs.read_only))
    elif volume.host_path is not None:
        message.host_path.CopyFrom(wire.Volume.HostPath(path=volume.host_path.path, type=volume.host_path.type or ""))
    elif volume.config_map is not None:
        maps = volume.config_map
        message.config_map.CopyFrom(_keys(maps, maps.name, user=maps.default_user, mode=maps.default_mode))
    elif volume.secret is not None:
        secret = volume.secret
        keys = _keys(secret, secret.secret_name, user=secret.default_user, mode=secret.default_mode)
        message.secret.CopyFrom(keys)
    elif volume.downward_api is not None:
        fields = volume.downward_api
        downward = _downward(fields.items, containers, user=fields.default_user)
        source, mode = wire.Volume.Projected.Source(downward=downward), _mode(fields.default_mode)
        message.projected.CopyFrom(wire.Volume.Projected(sources=[source], default_mode=mode))
    elif volume.projected is not None:
        _set_projected(message, volume.projected, containers)
    elif volume.image is not None:
        image = volume.image
        message.image.CopyFrom(wire.Volume.Image(reference=image.reference, pull_policy=image.pull_policy))
    elif volume.empty_dir is None and (unsupported := _source_name(volume)):
        message.unsupported = unsupported
    else:
        message.empty_dir.CopyFrom(_empty_dir(volume.empty_dir or EmptyDirVolumeSource()))
    return message


def _set_claimed(message: wire.Volume, volume: Volume, claimed: Claimed) -> None:
    if claimed.volume is None:
        message.waiting = claimed.problem
        return
    spec = claimed.volume.spec
    message.read_only = volume.persistent_volume_claim is not None and volume.persistent_volume_claim.read_only
    if spec.get("volumeMode") == "Block":
        _set_device(message, spec)
    elif path := spec.get("hostPath"):
        message.host_path.CopyFrom(wire.Volume.HostPath(path=path.get("path", ""), type=path.get("type", "")))
    elif local := spec.get("local"):
        message.host_path.CopyFrom(wire.Volume.HostPath(path=local.get("path", ""), type="Directory"))
        message.owned_by_group = not message.read_only
    elif nfs := spec.get("nfs"):
        server, path, read_only = nfs.get("server", ""), nfs.get("path", ""), nfs.get("readOnly", False)
        options = spec.get("mountOptions", ())
        message.nfs.CopyFrom(wire.Volume.Nfs(server=server, path=path, read_only=read_only, mount_options=options))
    else:
        message.unsupported = f"persistentVolumeClaim of {_kind(spec)}"


def _set_device(message: wire.Volume, spec: Mapping[str, Any]) -> None:
    """A block device. As in Kubernetes, a host path cannot be one."""
    if local := spec.get("local"):
        message.host_path.CopyFrom(wire.Volume.HostPath(path=local.get("path", ""), type="BlockDevice"))
        message.block = True
    else:
        message.unsupported = f"persistentVolumeClaim with volumeMode Block of {_kind(spec)}"


def _kind(spec: Mapping[str, Any]) -> str:
    """The name of a persistent volume's source."""
    return min(spec.keys() - COMMON_FIELDS, default="no source")


def _empty_dir(source: EmptyDirVolumeSource) -> wire.Volume.EmptyDir:
    size = 0 if source.size_limit is None else bytes_of(str(source.size_limit))
    return wire.Volume.EmptyDir(medium=source.medium, size_limit_bytes=size, mode=source.mode)


def _set_projected(message: wire.Volume, source: ProjectedVolumeSource, containers: Iterable[Container]) -> None:
    unsupported = (_unsupported(part) for part in source.sources)
    if name := next(filter(None, unsupported), ""):
        message.unsupported = f"projected.{name}"
        return
    sources = [_projection(part, containers, user=source.default_user) for part in source.sources]
    projected = wire.Volume.Projected(sources=sources, default_mode=_mode(source.default_mode))
    message.projected.CopyFrom(projected)


def _unsupported(source: VolumeProjection) -> str:
    return next((name for field, name in _UNSUPPORTED.items() if getattr(source, field) is not None), "")


def _projection(
    source: VolumeProjection, containers: Iterable[Container], *, user: int | None
) -> wire.Volume.Projected.Source:
    """`user`: the owner of files without one of their own."""
    message = wire.Volume.Projected.Source()
    if source.config_map is not None:
        maps = source.config_map
        message.config_map.CopyFrom(_keys(maps, maps.name, user=user))
    elif source.secret is not None:
        secret = source.secret
        message.secret.CopyFrom(_keys(secret, secret.name, user=user))
    elif source.service_account_token is not None:
        message.token.CopyFrom(_token(source.service_account_token, user))
    else:
        items = source.downward_api.items if source.downward_api else ()
        message.downward.CopyFrom(_downward(items, containers, user=user))
    return message


def _token(source: ServiceAccountTokenProjection, user: int | None) -> wire.Volume.Projected.Token:
    return wire.Volume.Projected.Token(
        path=source.path,
        audience=source.audience,
        expiration_s=source.expiration_seconds or _TOKEN_S,
        user=user if source.user is None else source.user,
    )


def _downward(
    items: Iterable[DownwardAPIVolumeFile], containers: Iterable[Container], *, user: int | None
) -> wire.Volume.Projected.Downward:
    return wire.Volume.Projected.Downward(items=[_file(item, containers, user) for item in items])


def _file(item: DownwardAPIVolumeFile, containers: Iterable[Container], user: int | None) -> wire.Volume.Projected.File:
    owner = user if item.user is None else item.user
    message = wire.Volume.Projected.File(path=item.path, mode=item.mode, user=owner)
    if item.resource_field_ref is not None:
        message.resource.CopyFrom(resource_message(item.resource_field_ref, containers))
    else:
        message.field_path = item.field_ref.field_path if item.field_ref else ""
    return message


def _keys(source: _Keys, name: str, *, user: int | None, mode: int | None = None) -> wire.Volume.Keys:
    return wire.Volume.Keys(
        name=name,
        items=[wire.KeyToPath(key=item.key, path=item.path, mode=item.mode, user=item.user) for item in source.items],
        default_mode=_mode(mode),
        optional=bool(source.optional),
        user=user,
    )


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode


def _source_name(volume: Volume) -> str:
    """The JSON name of the volume's source; empty without one, which means emptyDir."""
    fields = zip(volume.__struct_fields__, volume.__struct_encode_fields__, strict=True)
    return next((name for field, name in fields if field != "name" and getattr(volume, field) is not None), "")
