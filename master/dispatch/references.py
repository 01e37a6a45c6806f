"""The config maps and secrets that a pod references: only these are sent to its node. A pure function."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from master.dispatch.items import Key, Section
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.members import all_containers
from master.kinds.core.pod.model import Pod


def references(pod: Pod) -> frozenset[Key]:
    """Keys of the config maps and secrets that the pod's volumes, variables and pull secrets name.

    Pods of one template reference the same ones, so they share one set.
    """
    namespace = pod.metadata.namespace
    names = set(_volumes(pod))
    names.update((Section.SECRET, ref.name) for ref in pod.spec.image_pull_secrets)
    for container in all_containers(pod.spec):
        names.update(_variables(container))
    return _common(frozenset(Key(section, namespace, name) for section, name in names if name))


@lru_cache(maxsize=4096)
def _common(keys: frozenset[Key]) -> frozenset[Key]:
    """An equal set that other pods have too."""
    return keys


def _volumes(pod: Pod) -> Iterator[tuple[Section, str]]:
    for volume in pod.spec.volumes:
        if volume.config_map is not None:
            yield Section.CONFIG_MAP, volume.config_map.name
        if volume.secret is not None:
            yield Section.SECRET, volume.secret.secret_name
        for source in volume.projected.sources if volume.projected is not None else ():
            if source.config_map is not None:
                yield Section.CONFIG_MAP, source.config_map.name
            if source.secret is not None:
                yield Section.SECRET, source.secret.name


def _variables(container: Container) -> Iterator[tuple[Section, str]]:
    for source in container.env_from:
        if source.config_map_ref is not None:
            yield Section.CONFIG_MAP, source.config_map_ref.name
        if source.secret_ref is not None:
            yield Section.SECRET, source.secret_ref.name
    for variable in container.env:
        value_from = variable.value_from
        if value_from is not None and value_from.config_map_key_ref is not None:
            yield Section.CONFIG_MAP, value_from.config_map_key_ref.name
        if value_from is not None and value_from.secret_key_ref is not None:
            yield Section.SECRET, value_from.secret_key_ref.name
