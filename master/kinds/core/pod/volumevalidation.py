"""Checks of the volumes of pods."""

from __future__ import annotations

from master.kinds.core.pod.claim import check_claim_spec
from master.kinds.core.pod.containers import given
from master.kinds.core.pod.filevolumes import check_projected, downward_file, key_items
from master.kinds.core.pod.volume import Volume
from master.kinds.core.pod.volumedefaults import volume_sources
from master.schema.checks import Findings
from master.schema.names import dns_label


def check_volumes(volumes: tuple[Volume, ...], at: str, findings: Findings) -> dict[str, Volume]:
    """Checks volumes that have their defaults. Returns them by name."""
    for index, volume in enumerate(volumes):
        where = f"{at}[{index}]"
        if not volume.name:
            findings.required(f"{where}.name")
        else:
            findings.form(f"{where}.name", volume.name, dns_label(volume.name))
        for source in given(volume, volume_sources(volume))[1:]:
            findings.forbidden(f"{where}.{source}", "may not specify more than 1 volume type")
        _source(volume, where, findings)
        _selected(volume, where, findings)
    findings.unique(at, ((f"[{index}].name", volume.name) for index, volume in enumerate(volumes)))
    return {volume.name: volume for volume in volumes}


def _source(volume: Volume, where: str, findings: Findings) -> None:
    if volume.host_path is not None:
        if not volume.host_path.path:
            findings.required(f"{where}.hostPath.path")
        elif ".." in volume.host_path.path.split("/"):
            findings.invalid(f"{where}.hostPath.path", volume.host_path.path, "must not contain '..'")
    if volume.config_map is not None:
        if not volume.config_map.name:
            findings.required(f"{where}.configMap.name")
        key_items(volume.config_map.items, f"{where}.configMap.items", findings)
    if volume.secret is not None:
        if not volume.secret.secret_name:
            findings.required(f"{where}.secret.secretName")
        key_items(volume.secret.items, f"{where}.secret.items", findings)
    for field, cluster in (("rbd", volume.rbd), ("cephfs", volume.cephfs)):
        if cluster is not None and not cluster.monitors:
            findings.required(f"{where}.{field}.monitors")


def _selected(volume: Volume, where: str, findings: Findings) -> None:
    """The sources that find their content by a selector."""
    if volume.ephemeral is not None:
        template = volume.ephemeral.volume_claim_template
        if template is None:
            findings.required(f"{where}.ephemeral.volumeClaimTemplate")
        else:
            check_claim_spec(template.spec, f"{where}.ephemeral.volumeClaimTemplate.spec", findings)
    if volume.downward_api is not None:
        for index, item in enumerate(volume.downward_api.items):
            downward_file(item, f"{where}.downwardAPI.items[{index}]", findings)
    if volume.projected is not None:
        check_projected(volume.projected, f"{where}.projected", findings)
