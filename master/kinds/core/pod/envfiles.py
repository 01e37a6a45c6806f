"""Checks of variables that come from a file in a volume of the pod (`fileKeyRef`)."""

from __future__ import annotations

from collections.abc import Mapping

from master.kinds.core.pod.container import Container
from master.kinds.core.pod.filevolumes import local_path
from master.kinds.core.pod.volume import Volume
from master.schema.checks import Findings


def check_env_files(volumes: Mapping[str, Volume], container: Container, at: str, findings: Findings) -> None:
    """The references of one container at its path `at`. `volumes`: those of the pod; only emptyDir has such files."""
    for index, variable in enumerate(container.env):
        ref = variable.value_from.file_key_ref if variable.value_from is not None else None
        if ref is None:
            continue
        where = f"{at}.env[{index}].valueFrom.fileKeyRef"
        # What is empty is a finding of its own.
        if ref.key:
            findings.env_name(f"{where}.key", ref.key)
        if ref.path:
            local_path(ref.path, f"{where}.path", findings)
        if not ref.volume_name:
            continue
        volume = volumes.get(ref.volume_name)
        if volume is None:
            findings.missing(f"{where}.volumeName", ref.volume_name)
        elif volume.empty_dir is None:
            findings.invalid(f"{where}.volumeName", ref.volume_name, "referenced volume must be of type emptyDir")
