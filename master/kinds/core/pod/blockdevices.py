"""Checks of the block devices of a container (`volumeDevices`)."""

from __future__ import annotations

from collections.abc import Mapping

from master.kinds.core.pod.container import Container
from master.kinds.core.pod.volume import Volume
from master.schema.checks import Findings

_ONLY_CLAIMS = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"


def check_block_devices(volumes: Mapping[str, Volume], container: Container, at: str, findings: Findings) -> None:
    """The devices of one container at its path `at`. `volumes`: those of the pod; only claims can be block devices."""
    mounted_names = {mount.name for mount in container.volume_mounts}
    mounted_paths = {mount.mount_path for mount in container.volume_mounts}
    names, paths = {""}, {""}  # what is empty is a finding of its own
    for index, device in enumerate(container.volume_devices):
        where = f"{at}.volumeDevices[{index}]"
        volume = volumes.get(device.name)
        if device.name and volume is None:
            findings.missing(f"{where}.name", device.name)
        elif volume is not None and volume.persistent_volume_claim is None and volume.ephemeral is None:
            findings.invalid(f"{where}.name", device.name, _ONLY_CLAIMS)
        if ".." in device.device_path.split("/"):
            findings.invalid(f"{where}.devicePath", device.device_path, "can not contain backsteps ('..')")
        for field, value, seen, mounted in (
            ("name", device.name, names, mounted_names),
            ("devicePath", device.device_path, paths, mounted_paths),
        ):
            if value and value in seen:
                findings.invalid(f"{where}.{field}", value, "must be unique")
            if value and value in mounted:
                findings.invalid(f"{where}.{field}", value, "must not already exist in volumeMounts")
            seen.add(value)
    _check_mounts(container, at, findings)


def _check_mounts(container: Container, at: str, findings: Findings) -> None:
    """The same from the side of the mounts."""
    names = {device.name for device in container.volume_devices} - {""}
    paths = {device.device_path for device in container.volume_devices} - {""}
    for index, mount in enumerate(container.volume_mounts):
        where = f"{at}.volumeMounts[{index}]"
        if mount.name in names:
            findings.invalid(f"{where}.name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in paths:
            findings.invalid(
                f"{where}.mountPath", mount.mount_path, "must not already exist as a path in volumeDevices"
            )
