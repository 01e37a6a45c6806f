"""Checks of the files in volumes: paths of keys, of the downward API, and of projected volumes."""

from __future__ import annotations

from collections.abc import Iterator

from master.kinds.core.pod.containers import given, relative_path
from master.kinds.core.pod.fieldrefs import check_field, check_resource
from master.kinds.core.pod.keys import KeyToPath
from master.kinds.core.pod.projected import DownwardAPIVolumeFile, ProjectedVolumeSource, VolumeProjection
from master.kinds.workload.selector import check_selector
from master.schema.checks import Findings


def key_items(items: tuple[KeyToPath, ...], at: str, findings: Findings) -> None:
    """The paths of keys."""
    for index, item in enumerate(items):
        local_path(item.path, f"{at}[{index}].path", findings)


def downward_file(item: DownwardAPIVolumeFile, at: str, findings: Findings) -> None:
    """A file of the downward API."""
    local_path(item.path, f"{at}.path", findings)
    if item.field_ref is not None:
        check_field(item.field_ref, f"{at}.fieldRef", findings, in_volume=True)
        if item.resource_field_ref is not None:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            findings.invalid(at, "resource", why)
    elif item.resource_field_ref is not None:
        check_resource(item.resource_field_ref, f"{at}.resourceFieldRef", findings, in_volume=True)
    else:
        findings.required(at, "one of fieldRef and resourceFieldRef is required")


def check_projected(volume: ProjectedVolumeSource, at: str, findings: Findings) -> None:
    """The sources of a projected volume, of which no two may name the same path."""
    taken: set[str] = set()
    for index, source in enumerate(volume.sources):
        where = f"{at}.sources[{index}]"
        for name in given(source)[1:]:
            findings.forbidden(f"{where}.{name}", "may not specify more than 1 volume type")
        _source(source, where, findings)
        for name, path in _paths(source):
            if path and path in taken:
                findings.invalid(at, name, "conflicting duplicate paths")
            taken.add(path)


def _source(source: VolumeProjection, at: str, findings: Findings) -> None:
    for field, keys in (("secret", source.secret), ("configMap", source.config_map)):
        if keys is not None:
            if not keys.name:
                findings.required(f"{at}.{field}.name")
            key_items(keys.items, f"{at}.{field}.items", findings)
    for index, item in enumerate(source.downward_api.items if source.downward_api else ()):
        downward_file(item, f"{at}.downwardAPI.items[{index}]", findings)
    if source.service_account_token is not None and source.service_account_token.path:
        local_path(source.service_account_token.path, f"{at}.serviceAccountToken.path", findings)
    if source.cluster_trust_bundle is not None:
        place = f"{at}.clusterTrustBundle.labelSelector"
        check_selector(source.cluster_trust_bundle.label_selector, place, findings)


def _paths(source: VolumeProjection) -> Iterator[tuple[str, str]]:
    """Each path that the source names, with the value that a finding about it shows."""
    for keys in (source.secret, source.config_map):
        if keys is not None:
            yield from ((keys.name, item.path) for item in keys.items)
    if source.downward_api is not None:
        yield from ((item.path, item.path) for item in source.downward_api.items)
    if source.service_account_token is not None:
        yield source.service_account_token.path, source.service_account_token.path


def local_path(path: str, at: str, findings: Findings) -> None:
    """A path below a volume."""
    relative_path(at, path, findings)
    if path.startswith("..") and ".." not in path.split("/"):
        findings.invalid(at, path, "must not start with '..'")
