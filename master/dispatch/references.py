"""Which config maps and secrets a pod references: what its node must be sent, and nothing else.

Owns that one pure function.
"""

from __future__ import annotations

from collections.abc import Iterator

from master.api.kinds.container import Container
from master.api.kinds.pod import Pod
from master.dispatch.items import Key, Section


def references(pod: Pod) -> frozenset[Key]:
    """Keys of the config maps and secrets that the pod's volumes and variables name."""
    namespace = pod.metadata.namespace
    names = set(_volumes(pod))
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        names.update(_variables(container))
    return frozenset(Key(section, namespace, name) for section, name in names if name)


def _volumes(pod: Pod) -> Iterator[tuple[Section, str]]:
    for volume in pod.spec.volumes:
        if volume.config_map is not None:
            yield Section.CONFIG_MAP, volume.config_map.name
        if volume.secret is not None:
            yield Section.SECRET, volume.secret.secret_name


def _variables(container: Container) -> Iterator[tuple[Section, str]]:
    for each in container.env_from:
        if each.config_map_ref is not None:
            yield Section.CONFIG_MAP, each.config_map_ref.name
        if each.secret_ref is not None:
            yield Section.SECRET, each.secret_ref.name
    for variable in container.env:
        source = variable.value_from
        if source is not None and source.config_map_key_ref is not None:
            yield Section.CONFIG_MAP, source.config_map_key_ref.name
        if source is not None and source.secret_key_ref is not None:
            yield Section.SECRET, source.secret_key_ref.name
