"""PersistentVolume: access modes, capacity, and exactly one kind of storage."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from master.kinds.core.claims import check_access_modes, phase_cell
from master.objects.meta import timestamp
from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy, with_status
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import dns_label, dns_subdomain

# The fields that are not a kind of storage.
COMMON_FIELDS: Final = frozenset(
    (
        *("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"),
        *("storageClassName", "volumeAttributesClassName", "volumeMode"),
    )
)
_HOST_PATH_TYPES: Final = (
    *("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"),
)
_IQN: Final = re.compile(r"iqn\.\d{4}-\d{2}\.([a-zA-Z0-9-.]+)(:[^,;*&$|\s]+)|eui\.[a-fA-F0-9]{16}|naa\.[a-fA-F0-9]{32}")


class PersistentVolumeStrategy(UntypedStrategy):
    """The rules of volumes."""

    def for_create(self, obj: Untyped, now: datetime) -> Untyped:
        return with_status(obj, {"phase": "Pending", "lastPhaseTransitionTime": timestamp(now)})

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        check_volume(obj.spec, "spec", findings, inline=False)

    def stamp_status(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        before, status = old.status or {}, new.status
        name = "lastPhaseTransitionTime"
        if before.get("phase") == status.get("phase"):
            since = status.get(name) or before.get(name)
        else:
            since = timestamp(now) if status.get(name) in (None, before.get(name)) else status[name]
        return with_status(new, {**status, name: since} if since else status)

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        if _source(new.spec, old.spec) != _source(old.spec, {}):
            findings.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
        if new.spec.get("volumeMode") != old.spec.get("volumeMode"):
            findings.invalid("volumeMode", new.spec.get("volumeMode"), "field is immutable")
        affinity = old.spec.get("nodeAffinity")
        if affinity is not None and new.spec.get("nodeAffinity") != affinity:
            findings.invalid("nodeAffinity", new.spec.get("nodeAffinity"), "field is immutable")
        if "volumeAttributesClassName" in old.spec and "volumeAttributesClassName" not in new.spec:
            findings.forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def _source(spec: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The kind of storage, which cannot be changed. The Secret for enlarging may be added later to a CSI volume."""
    source = {name: value for name, value in spec.items() if name not in COMMON_FIELDS}
    csi, before = source.get("csi"), old.get("csi")
    if csi and before is not None and "controllerExpandSecretRef" not in before:
        source["csi"] = {name: value for name, value in csi.items() if name != "controllerExpandSecretRef"}
    return source


def check_volume(spec: dict[str, Any], at: str, findings: Findings, *, inline: bool) -> None:
    """Checks a volume. `inline`: the volume is a part of another object, so it has no claim and no class."""
    check_access_modes(spec, at, findings)
    if inline:
        _check_inline(spec, at, findings)
    else:
        _check_capacity(spec.get("capacity", {}), f"{at}.capacity", findings)
        _check_classes(spec, at, findings)
    # The first kind of storage, in the order of the fields, counts; all others are findings.
    sources = [name for name in spec if name not in COMMON_FIELDS]
    if not sources:
        findings.required(at, "must specify a volume type")
    for name in sources[1:]:
        findings.forbidden(f"{at}.{name}", "may not specify more than 1 volume type")
    if sources and sources[0] in _SOURCES:
        _SOURCES[sources[0]](spec[sources[0]], f"{at}.{sources[0]}", findings)
    if "local" in spec and "nodeAffinity" not in spec:
        findings.required(f"{at}.nodeAffinity", "Local volume requires node affinity")
    root = posixpath.normpath(spec.get("hostPath", {}).get("path") or ".") == "/"
    if root and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        findings.forbidden(f"{at}.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")


def _check_inline(spec: dict[str, Any], at: str, findings: Findings) -> None:
    for name in ("claimRef", "capacity", "nodeAffinity", "storageClassName"):
        if spec.get(name):
            findings.forbidden(f"{at}.{name}", "may not be specified in the context of inline volumes")
    for name, value in (("persistentVolumeReclaimPolicy", "Retain"), ("volumeMode", "Filesystem")):
        if spec.get(name, value) != value:
            findings.forbidden(f"{at}.{name}", f"may only be {value} in the context of inline volumes")
    if "csi" not in spec:
        findings.required(f"{at}.csi", "has to be specified in the context of inline volumes")


def _check_capacity(capacity: dict[str, str], at: str, findings: Findings) -> None:
    if not capacity:
        findings.required(at)
    if "storage" not in capacity or len(capacity) > 1:
        findings.unsupported(at, capacity, ["storage"])
    for name, amount in capacity.items():
        findings.positive(f"{at}[{name}]", amount)


def _check_classes(spec: dict[str, Any], at: str, findings: Findings) -> None:
    if spec.get("storageClassName"):
        findings.form(f"{at}.storageClassName", spec["storageClassName"], dns_subdomain(spec["storageClassName"]))
    findings.one_of(f"{at}.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"], _POLICIES)
    findings.one_of(f"{at}.volumeMode", spec["volumeMode"], ("Block", "Filesystem"))
    if "volumeAttributesClassName" in spec:
        name = spec["volumeAttributesClassName"]
        if not name:
            findings.required(f"{at}.volumeAttributesClassName", "an empty string is disallowed")
        findings.form(f"{at}.volumeAttributesClassName", name, dns_subdomain(name) if name else "")
        if "csi" not in spec:
            findings.required(f"{at}.csi", "has to be specified when using volumeAttributesClassName")


_POLICIES: Final = ("Delete", "Recycle", "Retain")


# -- kinds of storage ---------------------------------------------------------------------------------------------


def _check_steps(path: str, at: str, findings: Findings) -> None:
    if ".." in path.split("/"):
        findings.invalid(at, path, "must not contain '..'")


def _check_host_path(source: dict[str, Any], at: str, findings: Findings) -> None:
    _check_steps(source.get("path", ""), f"{at}.path", findings)
    findings.one_of(f"{at}.type", source.get("type", ""), _HOST_PATH_TYPES)


def _check_local(source: dict[str, Any], at: str, findings: Findings) -> None:
    _check_steps(source.get("path", ""), f"{at}.path", findings)


def _check_nfs(source: dict[str, Any], at: str, findings: Findings) -> None:
    if not source.get("path", "").startswith("/"):
        findings.invalid(f"{at}.path", source.get("path", ""), "must be an absolute path")


def _check_csi(source: dict[str, Any], at: str, findings: Findings) -> None:
    for name, secret in source.items():
        # Kubernetes does not check the Secret for staging.
        if name.endswith("SecretRef") and name != "nodeStageSecretRef":
            for part, wrong in (("name", dns_subdomain), ("namespace", dns_label)):
                text = secret.get(part, "")
                _check_present(text, wrong(text), f"{at}.{name}.{part}", findings)


def _check_present(text: str, wrong: str, at: str, findings: Findings) -> None:
    if not text:
        findings.required(at)
    else:
        findings.form(at, text, wrong)


def _check_iscsi(source: dict[str, Any], at: str, findings: Findings) -> None:
    for name, field in (("iqn", "iqn"), ("initiatorName", "initiatorname")):
        text = source.get(name, "")
        if text and not _IQN.fullmatch(text):
            findings.invalid(f"{at}.{field}", text, "must be valid format")
    needs_secret = source.get("chapAuthDiscovery") or source.get("chapAuthSession")
    if needs_secret and "secretRef" not in source:
        findings.required(f"{at}.secretRef")
    if "secretRef" in source and not source["secretRef"].get("name"):
        findings.required(f"{at}.secretRef.name")


def _check_fc(source: dict[str, Any], at: str, findings: Findings) -> None:
    names, ids = source.get("targetWWNs"), source.get("wwids")
    if not names and not ids:
        findings.required(f"{at}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if names and ids:
        findings.invalid(f"{at}.targetWWNs", names, "targetWWNs and wwids can not be specified simultaneously")
    if names and "lun" not in source:
        findings.required(f"{at}.lun", "lun is required if targetWWNs is specified")


def _check_flocker(source: dict[str, Any], at: str, findings: Findings) -> None:
    if len(source) == 0:
        findings.required(at, "one of datasetName and datasetUUID is required")
    elif len(source) == 2:
        findings.invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in source.get("datasetName", ""):
        findings.invalid(f"{at}.datasetName", source["datasetName"], "must not contain '/'")


def _check_azure_disk(source: dict[str, Any], at: str, findings: Findings) -> None:
    uri = source.get("diskURI", "")
    prefix = "/subscriptions/" if source.get("kind") == "Managed" else "https://"
    if not uri.startswith(prefix):
        findings.unsupported(f"{at}.diskURI", uri, [prefix])


def _check_flex(source: dict[str, Any], at: str, findings: Findings) -> None:
    for key in source.get("options", {}):
        domain = f".{key.partition('/')[0].lower()}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            findings.invalid(f"{at}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved")


def _check_secret(source: dict[str, Any], at: str, findings: Findings) -> None:
    for part in ("name", "namespace"):
        if "secretRef" in source and not source["secretRef"].get(part):
            findings.required(f"{at}.secretRef.{part}")


_SOURCES: Final[Mapping[str, Callable[[dict[str, Any], str, Findings], None]]] = {
    "azureDisk": _check_azure_disk,
    "cinder": _check_secret,
    "csi": _check_csi,
    "fc": _check_fc,
    "flexVolume": _check_flex,
    "flocker": _check_flocker,
    "hostPath": _check_host_path,
    "iscsi": _check_iscsi,
    "local": _check_local,
    "nfs": _check_nfs,
    "storageos": _check_secret,
}

PERSISTENTVOLUME: Final = Supplement(PersistentVolumeStrategy, cells={"Status": phase_cell})
