"""The token that a new pod gets of its service account: a projected volume, mounted into all of its containers.

The volume is that of Kubernetes: the token, the certificates of the API, and the pod's namespace. Only the end of its
name differs: it follows from the pod's other volumes, so that all pods of one template have the same spec.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Final, TypeVar

from msgspec.structs import replace

from master.kinds.authentication.tokenrequest import INJECTED_S
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.keys import KeyToPath, ObjectFieldSelector
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.projected import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from master.kinds.core.pod.volume import Volume, VolumeMount
from proto.contract import ACCESS_VOLUME_PREFIX

PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where programs look for their token: the Kubernetes documentation."""
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generated names in Kubernetes."""
_SUFFIX: Final = 5
_SOURCE: Final = ProjectedVolumeSource(
    default_mode=0o644,
    sources=(
        VolumeProjection(
            service_account_token=ServiceAccountTokenProjection(path="token", expiration_seconds=INJECTED_S)
        ),
        VolumeProjection(
            config_map=ConfigMapProjection(name="kube-root-ca.crt", items=(KeyToPath(key="ca.crt", path="ca.crt"),))
        ),
        VolumeProjection(
            downward_api=DownwardAPIProjection(
                items=(
                    DownwardAPIVolumeFile(
                        path="namespace",
                        field_ref=ObjectFieldSelector(api_version="v1", field_path="metadata.namespace"),
                    ),
                )
            )
        ),
    ),
)
C = TypeVar("C", bound=Container)


def with_token(spec: PodSpec) -> PodSpec:
    """The spec with the volume; a container that mounts something else at its path keeps that."""
    names = {volume.name for volume in spec.volumes}
    present = next((volume.name for volume in spec.volumes if volume.name.startswith(ACCESS_VOLUME_PREFIX)), "")
    mount = VolumeMount(name=present or _free_name(names), read_only=True, mount_path=PATH)
    init_containers = tuple(_mounting(container, mount) for container in spec.init_containers)
    containers = tuple(_mounting(container, mount) for container in spec.containers)
    if (init_containers, containers) == (spec.init_containers, spec.containers):
        return spec
    volumes = spec.volumes if present else (*spec.volumes, Volume(name=mount.name, projected=_SOURCE))
    return replace(spec, init_containers=init_containers, containers=containers, volumes=volumes)


def _mounting(container: C, mount: VolumeMount) -> C:
    if any(each.mount_path == PATH for each in container.volume_mounts):
        return container
    return replace(container, volume_mounts=(*container.volume_mounts, mount))


def _free_name(taken: set[str]) -> str:
    names = (ACCESS_VOLUME_PREFIX + _suffix(f"{number} {' '.join(sorted(taken))}") for number in itertools.count())
    return next(name for name in names if name not in taken)


def _suffix(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:_SUFFIX])
