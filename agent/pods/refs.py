"""What the volumes and variables of a pod refer to: config maps, secrets, and its own labels. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from agent.downward import reads_labels
from agent.model import Container, DownwardSource, FilesVolume, ObjectRef, Pod, TokenSource


def references(pod: Pod) -> tuple[tuple[bool, ObjectRef], ...]:
    """Each reference once, as (is a secret, reference), sorted."""
    return tuple(sorted({(secret, ObjectRef(pod.namespace, name)) for secret, name in _names(pod)}))


def pull_secrets(pod: Pod) -> tuple[tuple[bool, ObjectRef], ...]:
    """References to the secrets with the credentials of registries."""
    return tuple((True, ObjectRef(pod.namespace, name)) for name in pod.pull_secrets)


def shows_labels(pod: Pod) -> bool:
    """Whether a file of a volume shows the pod's labels or annotations, which may change."""
    return any(
        reads_labels(item.field_path)
        for volume in pod.volumes
        if isinstance(volume.source, FilesVolume)
        for source in volume.source.sources
        if isinstance(source, DownwardSource)
        for item in source.items
    )


def tokens_of(pod: Pod) -> Iterator[TokenSource]:
    """The tokens in the pod's volumes."""
    for volume in pod.volumes:
        if isinstance(volume.source, FilesVolume):
            yield from (source for source in volume.source.sources if isinstance(source, TokenSource))


def _names(pod: Pod) -> Iterator[tuple[bool, str]]:
    yield from ((True, name) for name in pod.pull_secrets)
    for container in pod.all_containers:
        yield from _container_names(container)
    for volume in pod.volumes:
        if isinstance(volume.source, FilesVolume):
            yield from ((keys.secret, keys.name) for keys in volume.source.keys)


def _container_names(container: Container) -> Iterator[tuple[bool, str]]:
    for source in container.env_from:
        yield source.secret, source.name
    for variable in container.env:
        if variable.config_map_key is not None:
            yield False, variable.config_map_key.name
        if variable.secret_key is not None:
            yield True, variable.secret_key.name
