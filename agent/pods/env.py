"""A container's environment variables.

Owns order and precedence: service variables, then envFrom, then env; later ones override earlier ones, and $(NAME)
refers to earlier ones. Pure functions; a missing object raises ContainerConfigError with its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.downward import metadata_field, resource_value
from agent.model import Container, Desired, EnvFrom, EnvVar, FileKey, KeyRef, ObjectRef, Pod, VolumeMount
from agent.pods.envfile import BadEnvFile, EnvFiles, value_of
from agent.pods.errors import ContainerConfigError
from agent.pods.expand import expand, unknown
from agent.pods.serviceenv import service_variables, visible_services
from agent.statuses import NO_CAPACITY, Capacity

_NAME: Final = re.compile(r"[ -<>-~]+")
"""Kubernetes' rule since 1.34: printable ASCII other than '='."""
_LONGEST_FILE_KEY: Final = 128
_LONGEST_FILE_VALUE: Final = 32 << 10
_FIELDS: Final = ("metadata.name", "metadata.namespace", "metadata.uid")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """The values of the downward API that are not in the pod's spec."""

    node_name: str
    host_ip: str
    pod_ip: str
    node: Capacity = NO_CAPACITY
    """What the node can give to pods: the limits of containers without limits."""


def environment(
    pod: Pod, container: Container, desired: Desired, facts: PodFacts, files: EnvFiles | None = None
) -> dict[str, str]:
    """All variables of a container, in their order. `files`: those that they refer to."""
    visible = visible_services(desired.services, pod.namespace, links=pod.enable_service_links)
    services = service_variables(visible)
    variables: dict[str, str] = {}
    for source in container.env_from:
        variables |= _all_keys(pod, source, desired)
    for variable in container.env:
        if variable.file_key is not None:
            value = _in_file(variable.file_key, files or {})
        else:
            value = _value(pod, variable, desired, facts, services | variables)
        if value is not None:
            variables[variable.name] = value
    return services | variables


def sub_path_of(mount: VolumeMount, env: Mapping[str, str]) -> str:
    """The path inside the volume, by the kubelet's rules. Raises ContainerConfigError."""
    if missing := unknown(mount.sub_path_expr, env):
        raise ContainerConfigError(f'subPathExpr "{mount.sub_path_expr}": missing value for "{missing[0]}"')
    path = expand(mount.sub_path_expr, env) or mount.sub_path
    if path.startswith("/"):
        raise ContainerConfigError(f'subPath "{path}" must not be an absolute path')
    if ".." in path.split("/"):
        raise ContainerConfigError(f"subPath \"{path}\" must not contain '..'")
    return path


def _value(pod: Pod, variable: EnvVar, desired: Desired, facts: PodFacts, before: Mapping[str, str]) -> str | None:
    """The variable's value; None if its source is optional and missing."""
    if variable.field_path:
        return field_value(pod, variable.field_path, facts)
    if variable.resource is not None:
        if variable.resource.problem:
            raise ContainerConfigError(variable.resource.problem)
        return resource_value(variable.resource, facts.node)
    if variable.config_map_key is not None:
        return _key(pod, variable.config_map_key, desired, secret=False)
    if variable.secret_key is not None:
        return _key(pod, variable.secret_key, desired, secret=True)
    return expand(variable.value, before)


def _in_file(ref: FileKey, files: EnvFiles) -> str | None:
    """The variable in a file. As in Kubernetes, an empty one counts as missing."""
    text = files.get((ref.volume, ref.path))
    if text is None and not ref.optional:
        raise ContainerConfigError(f'couldn\'t parse env file: "{ref.path}" of volume "{ref.volume}" does not exist')
    if len(ref.key) > _LONGEST_FILE_KEY:
        raise ContainerConfigError(f'environment variable key "{ref.key}" exceeds maximum length of 128 characters')
    try:
        value = value_of(text or "", ref.key)
    except BadEnvFile as error:
        text = f'couldn\'t parse env file: "{ref.path}" of volume "{ref.volume}": {error}'
        raise ContainerConfigError(text) from error
    if not value and not ref.optional:
        raise ContainerConfigError(f'environment variable key "{ref.key}" not found in file')
    if len(value) > _LONGEST_FILE_VALUE:
        raise ContainerConfigError(f'environment variable value for key "{ref.key}" exceeds maximum length of 32 KiB')
    return value or None


def field_value(pod: Pod, path: str, facts: PodFacts) -> str:
    """A field of the pod by its path in the downward API."""
    if (of_metadata := metadata_field(pod, path)) is not None:
        return of_metadata
    values = {
        "spec.nodeName": facts.node_name,
        "spec.serviceAccountName": pod.service_account,
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": facts.pod_ip,
        "status.podIPs": facts.pod_ip,
    }
    if path not in values:
        known = ", ".join(sorted({*_FIELDS, *values}))
        raise ContainerConfigError(f'fieldPath "{path}" is not supported; supported are {known}')
    return values[path]


def _key(pod: Pod, ref: KeyRef, desired: Desired, *, secret: bool) -> str | None:
    data = _text(pod, ref.name, desired, secret=secret, optional=ref.optional)
    kind = "secret" if secret else "config map"
    if data is None:
        return None
    if ref.key not in data:
        if ref.optional:
            return None
        raise ContainerConfigError(f'{kind} "{pod.namespace}/{ref.name}" has no key "{ref.key}"')
    return data[ref.key].decode(errors="replace")


def _all_keys(pod: Pod, source: EnvFrom, desired: Desired) -> dict[str, str]:
    """All keys as variables; like Kubernetes, leaves out keys that are not valid variable names."""
    data = _text(pod, source.name, desired, secret=source.secret, optional=source.optional)
    named = {source.prefix + key: value.decode(errors="replace") for key, value in sorted((data or {}).items())}
    return {name: value for name, value in named.items() if _NAME.fullmatch(name)}


def _text(pod: Pod, name: str, desired: Desired, *, secret: bool, optional: bool) -> Mapping[str, bytes] | None:
    """The data that variables can be made from: of a config map only `data`, not `binaryData`, as in Kubernetes."""
    data = object_data(pod, name, desired, secret=secret, optional=optional)
    config_map = None if secret else desired.config_maps.get(ObjectRef(pod.namespace, name))
    if data is None or config_map is None:
        return data
    return {key: value for key, value in data.items() if key not in config_map.binary_keys}


def object_data(pod: Pod, name: str, desired: Desired, *, secret: bool, optional: bool) -> Mapping[str, bytes] | None:
    """Data of a config map or secret in the pod's namespace; None when it is optional and missing."""
    ref = ObjectRef(pod.namespace, name)
    source = (desired.secrets if secret else desired.config_maps).get(ref)
    if source is not None:
        return source.data
    if secret and not desired.secrets_known:
        raise ContainerConfigError(f'secret "{ref}" is not stored on this node: waiting for the master to send it')
    if optional:
        return None
    raise ContainerConfigError(f'{"secret" if secret else "config map"} "{ref}" not found')
