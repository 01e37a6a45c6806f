"""Volumes of files: configMap, secret, downwardAPI and projected.

Owns which files the sources of such a volume give, with their modes. filesets.py writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from agent.downward import metadata_field, resource_value
from agent.model import DownwardFile, DownwardSource, FilesVolume, KeysSource, KeyToPath, ObjectRef, Pod, TokenSource
from agent.statuses import Capacity
from agent.volumes import filesets, nesting
from agent.volumes.errors import VolumeError
from agent.volumes.filesets import File
from agent.volumes.interface import MemoryFiles, VolumeContext
from agent.volumes.ownership import MAX_ID, READABLE, give_to
from proto import contract

_PERMISSIONS: Final = 0o777
_TOKEN_MODE: Final = 0o600
"""The mode of a token for one user or for the group of the pod, which makes it 0640: as with the kubelet."""

_Content = tuple[str, bytes, int | None, int | None]
"""Path, content, mode (None: that of the volume) and owner (None: root) of a file."""


class FilesKind:
    """The kinds whose files have the values of other objects. `node`: what the node can give to pods."""

    def __init__(self, memory: MemoryFiles, node: Capacity) -> None:
        self._memory = memory
        self._node = node

    def prepare(self, source: FilesVolume, context: VolumeContext) -> Path:
        directory, group = context.directory, context.pod.fs_group
        files = dict(self._files(source, context))
        try:
            if source.in_memory:
                self._memory.mount(directory, size_bytes=0, group=group)
            else:
                directory.mkdir(parents=True, exist_ok=True)
                if group is not None:
                    give_to(directory, group, READABLE)
            nested = nesting.mount_points(context.pod, context.name)
            kept = frozenset(path.parts[0] for path in nested)
            version = filesets.version_of(files, source.default_mode, group)
            filesets.write(directory, files, version=version, group=group, kept=kept)
            nesting.make(directory, nested)
        except OSError as error:
            raise VolumeError(f'volume "{context.name}" cannot be written: {error}') from error
        return directory

    def _files(self, source: FilesVolume, context: VolumeContext) -> Iterator[tuple[str, File]]:
        """The files by relative path."""
        for part in source.sources:
            for path, content, mode, user in self._contents(part, context):
                checked = _checked(context, path, source.default_mode if mode is None else mode)
                if user is not None and not 0 <= user <= MAX_ID:
                    raise VolumeError(f'volume "{context.name}": {user} is not the id of a user')
                yield path, File(content, checked, user)

    def _contents(
        self, source: KeysSource | DownwardSource | TokenSource, context: VolumeContext
    ) -> Iterator[_Content]:
        match source:
            case KeysSource():
                yield from _values(source, context)
            case DownwardSource():
                for item in source.items:
                    yield item.path, self._downward(item, context), item.mode, item.user
            case TokenSource():
                token = _token(source, context)
                if token is not None:
                    user = _common_user(context.pod) if source.user is None else source.user
                    yield source.path, token, _token_mode(context, user), user

    def _downward(self, item: DownwardFile, context: VolumeContext) -> bytes:
        if item.resource is not None:
            if item.resource.problem:
                raise VolumeError(f'volume "{context.name}": {item.resource.problem}')
            return resource_value(item.resource, self._node).encode()
        value = metadata_field(context.pod, item.field_path)
        if value is None:
            raise VolumeError(f'volume "{context.name}": fieldPath "{item.field_path}" is not supported')
        return value.encode()


def _values(source: KeysSource, context: VolumeContext) -> Iterator[_Content]:
    """The keys of a config map or secret."""
    data = _data(source, context)
    if data is None:
        return
    items = source.items or tuple(KeyToPath(key, key) for key in sorted(data))
    missing = [item.key for item in items if item.key not in data]
    if missing and not source.optional:
        raise VolumeError(f'volume "{context.name}": {_name(source, context)} has no key "{missing[0]}"')
    for item in items:
        if item.key in data:
            yield item.path, data[item.key], item.mode, source.user if item.user is None else item.user


def _data(source: KeysSource, context: VolumeContext) -> Mapping[str, bytes] | None:
    """None: the object is optional and missing."""
    ref, desired = ObjectRef(context.pod.namespace, source.name), context.desired
    found = (desired.secrets if source.secret else desired.config_maps).get(ref)
    if found is not None:
        return found.data
    if source.secret and not desired.secrets_known:
        raise VolumeError(
            f'volume "{context.name}": secret "{ref}" is not stored on this node: waiting for the master to send it'
        )
    if source.optional:
        return None
    raise VolumeError(f'volume "{context.name}": {_name(source, context)} not found')


def _name(source: KeysSource, context: VolumeContext) -> str:
    return f'{"secret" if source.secret else "config map"} "{ObjectRef(context.pod.namespace, source.name)}"'


def _token(source: TokenSource, context: VolumeContext) -> bytes | None:
    """The token, or the one that was written last: it may still be valid when the master cannot be reached.

    None: the file follows when the master is back. Only in the volume that the API adds to pods: most of them never use
    it, and they run again after a reboot without the master. Kubernetes' pods wait.
    """
    token = context.tokens.texts.get(source)
    if token is None:
        token = filesets.present(context.directory, source.path)
    is_added = context.name.startswith(contract.ACCESS_VOLUME_PREFIX)
    if token is None and not (is_added and context.tokens.given_up):
        raise VolumeError(
            f'volume "{context.name}": no token of service account "{context.pod.service_account}": '
            f"{context.tokens.problem or 'none has come from the master'}"
        )
    return token


def _token_mode(context: VolumeContext, user: int | None) -> int | None:
    """None: that of the volume."""
    narrow = context.pod.fs_group is not None or user is not None
    return _TOKEN_MODE if narrow else None


def _common_user(pod: Pod) -> int | None:
    """The user that all containers run as, if the pod says so."""
    users = {container.security.run_as_user for container in pod.all_containers}
    return users.pop() if len(users) == 1 else None


def _checked(context: VolumeContext, path: str, mode: int) -> int:
    """The mode of a file, whose path must lie in the volume. The API checks both before."""
    if ".." in Path(path).parts or path.startswith("/") or not path:
        raise VolumeError(f'volume "{context.name}": "{path}" is not a path inside the volume')
    if not 0 <= mode <= _PERMISSIONS:
        raise VolumeError(f'volume "{context.name}": mode {mode:o} of "{path}" is not between 0 and 777')
    return mode
