"""Checks of the volumes of pods."""

from __future__ import annotations

from master.kinds.core.pod.claim import check_claim_spec
from master.kinds.core.pod.containers import given, relative_path
from master.kinds.core.pod.keys import KeyToPath
from master.kinds.core.pod.volume import Volume
from master.kinds.core.pod.volumedefaults import volume_sources
from master.kinds.workload.selector import check_selector
from master.schema.checks import Findings
from master.schema.names import dns_label


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
        _source(volume, where, findings)
        _selected(volume, where, findings)
    findings.unique(at, ((f"[{index}].name", volume.name) for index, volume in enumerate(volumes)))
    return {volume.name for volume in volumes}


def _source(volume: Volume, where: str, findings: Findings) -> None:
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
    for index, part in enumerate(volume.projected.sources if volume.projected else ()):
        if part.cluster_trust_bundle is not None:
            place = f"{where}.projected.sources[{index}].clusterTrustBundle.labelSelector"
            check_selector(part.cluster_trust_bundle.label_selector, place, findings)


def _items(items: tuple[KeyToPath, ...], at: str, findings: Findings) -> None:
    for index, item in enumerate(items):
        where = f"{at}[{index}].path"
        relative_path(where, item.path, findings)
        if item.path.startswith("..") and ".." not in item.path.split("/"):
            findings.invalid(where, item.path, "must not start with '..'")
