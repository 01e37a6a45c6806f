"""Checks of the volumes of pods."""

from __future__ import annotations

from master.kinds.core.pod.containers import given, relative_path
from master.kinds.core.pod.keys import KeyToPath
from master.kinds.core.pod.volume import Volume
from master.kinds.core.pod.volumedefaults import volume_sources
from master.schema.checks import Findings, dns_label

# The largest number of a unit or partition of a block device.
_LAST_UNIT = 255
_SHORTEST_TOKEN_S, _LONGEST_TOKEN_S = 600, 1 << 32
_SHORTEST_CERTIFICATE_S, _LONGEST_CERTIFICATE_S = 3600, 91 * 24 * 3600


def check_volumes(volumes: tuple[Volume, ...], at: str, findings: Findings) -> set[str]:
    """Checks volumes that have their defaults. Returns their names."""
    for index, volume in enumerate(volumes):
        where = f"{at}[{index}]"
        if not volume.name:
            findings.required(f"{where}.name")
        else:
            findings.form(f"{where}.name", volume.name, dns_label(volume.name))
        for source in given(volume, volume_sources(volume))[1:]:
            findings.forbidden(f"{where}.{source}", "may not specify more than 1 volume type")
        if volume.host_path is not None:
            if not volume.host_path.path:
                findings.required(f"{where}.hostPath.path")
            elif ".." in volume.host_path.path.split("/"):
                findings.invalid(f"{where}.hostPath.path", volume.host_path.path, "must not contain '..'")
        if volume.config_map is not None:
            if not volume.config_map.name:
                findings.required(f"{where}.configMap.name")
            _items(volume.config_map.items, f"{where}.configMap.items", findings)
        if volume.secret is not None:
            if not volume.secret.secret_name:
                findings.required(f"{where}.secret.secretName")
            _items(volume.secret.items, f"{where}.secret.items", findings)
        _devices(volume, where, findings)
        _credentials(volume, where, findings)
    findings.unique(at, ((f"[{index}].name", volume.name) for index, volume in enumerate(volumes)))
    return {volume.name for volume in volumes}


def _items(items: tuple[KeyToPath, ...], at: str, findings: Findings) -> None:
    for index, item in enumerate(items):
        where = f"{at}[{index}].path"
        relative_path(where, item.path, findings)
        if item.path.startswith("..") and ".." not in item.path.split("/"):
            findings.invalid(where, item.path, "must not start with '..'")


def _devices(volume: Volume, at: str, findings: Findings) -> None:
    """The units, partitions and servers of network storage."""
    aws, gce = volume.aws_elastic_block_store, volume.gce_persistent_disk
    for field, number in (
        ("iscsi.lun", volume.iscsi.lun if volume.iscsi else None),
        ("fc.lun", volume.fc.lun if volume.fc else None),
        ("awsElasticBlockStore.partition", aws.partition if aws else None),
        ("gcePersistentDisk.partition", gce.partition if gce else None),
    ):
        if number is not None and not 0 <= number <= _LAST_UNIT:
            findings.invalid(f"{at}.{field}", number, f"must be between 0 and {_LAST_UNIT}, inclusive")
    for field, cluster in (("rbd", volume.rbd), ("cephfs", volume.cephfs)):
        if cluster is not None and not cluster.monitors:
            findings.required(f"{at}.{field}.monitors")


def _credentials(volume: Volume, at: str, findings: Findings) -> None:
    """How long tokens and certificates are valid."""
    for index, source in enumerate(volume.projected.sources if volume.projected else ()):
        where = f"{at}.projected.sources[{index}]"
        token, certificate = source.service_account_token, source.pod_certificate
        seconds = token.expiration_seconds if token else None
        if seconds is not None and not _SHORTEST_TOKEN_S <= seconds <= _LONGEST_TOKEN_S:
            why = "may not specify a duration less than 10 minutes or larger than 2^32 seconds"
            findings.invalid(f"{where}.serviceAccountToken.expirationSeconds", seconds, why)
        seconds = certificate.max_expiration_seconds if certificate else None
        if seconds is not None and not _SHORTEST_CERTIFICATE_S <= seconds <= _LONGEST_CERTIFICATE_S:
            why = "must be at least one hour and at most 91 days"
            findings.invalid(f"{where}.podCertificate.maxExpirationSeconds", seconds, why)
