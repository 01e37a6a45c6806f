"""The config maps and secrets that a pod refers to. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model import Container, KeysVolume, ObjectRef, Pod


def references(pod: Pod) -> tuple[tuple[bool, ObjectRef], ...]:
    """Each reference once, as (is a secret, reference), sorted."""
    return tuple(sorted({(secret, ObjectRef(pod.namespace, name)) for secret, name in _names(pod)}))


def pull_secrets(pod: Pod) -> tuple[tuple[bool, ObjectRef], ...]:
    """References to the secrets with the credentials of registries."""
    return tuple((True, ObjectRef(pod.namespace, name)) for name in pod.pull_secrets)


def _names(pod: Pod) -> Iterator[tuple[bool, str]]:
    yield from ((True, name) for name in pod.pull_secrets)
    for container in pod.all_containers:
        yield from _container_names(container)
    for volume in pod.volumes:
        if isinstance(volume.source, KeysVolume):
            yield volume.source.secret, volume.source.name


def _container_names(container: Container) -> Iterator[tuple[bool, str]]:
    for source in container.env_from:
        yield source.secret, source.name
    for variable in container.env:
        if variable.config_map_key is not None:
            yield False, variable.config_map_key.name
        if variable.secret_key is not None:
            yield True, variable.secret_key.name
