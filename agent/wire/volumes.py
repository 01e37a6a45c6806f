"""From the master's messages to the agent's volumes (sources.py): pure conversions.

A volume with a source that only a newer master knows becomes unsupported: its pod must not run with less.
"""

from __future__ import annotations

from dataclasses import replace

from agent import model
from proto.gen import desired_pb2

_UNKNOWN = "its source"

_HasUser = (
    desired_pb2.KeyToPath
    | desired_pb2.Volume.Keys
    | desired_pb2.Volume.Projected.File
    | desired_pb2.Volume.Projected.Token
)


def volume_from_proto(volume: desired_pb2.Volume) -> model.Volume:
    """A volume with its source."""
    return model.Volume(
        volume.name,
        _source(volume),
        volume.read_only,
        owned_by_group=volume.owned_by_group,
        block=volume.block,
    )


def resource_from_proto(field: desired_pb2.ResourceField) -> model.ResourceField:
    """A number of a container."""
    amount = field.amount if field.HasField("amount") else None
    return model.ResourceField(field.resource, field.divisor, amount, field.problem)


def _source(volume: desired_pb2.Volume) -> model.VolumeSource:
    match volume.WhichOneof("source"):
        case "host_path":
            return model.HostPath(volume.host_path.path, volume.host_path.type)
        case "config_map":
            keys = _keys(volume.config_map, secret=False)
            return model.FilesVolume((keys,), volume.config_map.default_mode, in_memory=False)
        case "secret":
            return model.FilesVolume((_keys(volume.secret, secret=True),), volume.secret.default_mode)
        case "empty_dir":
            return _empty_dir(volume.empty_dir)
        case "projected":
            return _projected(volume.projected)
        case "nfs":
            nfs = volume.nfs
            return model.Nfs(nfs.server, nfs.path, nfs.read_only, tuple(nfs.mount_options))
        case "image":
            image = volume.image
            return model.ImageVolume(image.reference, model.PullPolicy(image.pull_policy or "IfNotPresent"))
        case "waiting":
            return model.WaitingVolume(volume.waiting)
        case _:
            return model.UnsupportedVolume(volume.unsupported or _UNKNOWN)


def _empty_dir(source: desired_pb2.Volume.EmptyDir) -> model.EmptyDir:
    made = model.EmptyDir(source.medium, source.size_limit_bytes)
    return replace(made, mode=source.mode) if source.HasField("mode") else made


def _projected(volume: desired_pb2.Volume.Projected) -> model.VolumeSource:
    converted = tuple(_file_source(source) for source in volume.sources)
    known = tuple(source for source in converted if source is not None)
    if len(known) < len(converted):
        return model.UnsupportedVolume(_UNKNOWN)
    return model.FilesVolume(known, volume.default_mode)


def _file_source(source: desired_pb2.Volume.Projected.Source) -> model.FileSource | None:
    """None: only a newer agent knows it."""
    match source.WhichOneof("source"):
        case "config_map":
            return _keys(source.config_map, secret=False)
        case "secret":
            return _keys(source.secret, secret=True)
        case "token":
            token = source.token
            return model.TokenSource(token.path, token.audience, token.expiration_s, _user(token))
        case "downward" if all(item.WhichOneof("value") for item in source.downward.items):
            return model.DownwardSource(tuple(map(_file, source.downward.items)))
        case _:
            return None


def _file(item: desired_pb2.Volume.Projected.File) -> model.DownwardFile:
    return model.DownwardFile(
        path=item.path,
        field_path=item.field_path,
        resource=resource_from_proto(item.resource) if item.HasField("resource") else None,
        mode=item.mode if item.HasField("mode") else None,
        user=_user(item),
    )


def _user(message: _HasUser) -> int | None:
    return message.user if message.HasField("user") else None


def _keys(keys: desired_pb2.Volume.Keys, *, secret: bool) -> model.KeysSource:
    return model.KeysSource(
        name=keys.name,
        secret=secret,
        items=tuple(
            model.KeyToPath(item.key, item.path, item.mode if item.HasField("mode") else None, _user(item))
            for item in keys.items
        ),
        optional=keys.optional,
        user=_user(keys),
    )
