"""VolumeAttachment, CSIDriver, CSINode and classes of storage: what a declaration cannot say about them."""

from __future__ import annotations

from typing import Any, Final

from master.kinds.classes import name_of_class
from master.kinds.core.persistentvolume import check_volume
from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.names import qualified_name

DEFAULT: Final = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_MAX_METADATA: Final = 256 << 10
_MAX_MESSAGE: Final = 1024
_MAX_NODE_ID: Final = 256


class VolumeAttachmentStrategy(UntypedStrategy):
    """The rules of attachments."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        source = obj.spec.get("source", {})
        name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        if name is None and inline is None:
            findings.required("spec.source", why)
        elif name is not None and inline is not None:
            findings.forbidden("spec.source", why)
        elif name == "":
            findings.required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
        elif inline is not None:
            check_volume(inline, "spec.source.inlineVolumeSpec", findings, inline=True)

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        metadata = new.status.get("attachmentMetadata", {})
        if sum(len(key) + len(value) for key, value in metadata.items()) > _MAX_METADATA:
            findings.too_long("status.attachmentMetadata", _MAX_METADATA)
        for name in ("attachError", "detachError"):
            if len(new.status.get(name, {}).get("message", "")) > _MAX_MESSAGE:
                findings.too_long(f"status.{name}.message", _MAX_MESSAGE)


class CSIDriverStrategy(UntypedStrategy):
    """The rules of drivers."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        in_secrets = obj.spec.get("serviceAccountTokenInSecrets")
        if in_secrets is not None and not obj.spec.get("tokenRequests"):
            why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
            findings.invalid("spec.serviceAccountTokenInSecrets", in_secrets, why)
        for mode in obj.spec.get("volumeLifecycleModes", ()):
            findings.one_of("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        super().check_update(new, old, findings)
        if new.spec.get("attachRequired") != old.spec.get("attachRequired"):
            # Kubernetes spells the field like this here.
            findings.invalid("spec.attachedRequired", new.spec.get("attachRequired"), "field is immutable")


class CSINodeStrategy(UntypedStrategy):
    """The rules of drivers on a node: an entry stays as it is, except what the driver can handle."""

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        for index, driver in enumerate(obj.spec.get("drivers") or ()):
            at = f"spec.drivers[{index}]"
            if len(driver.get("nodeID", "")) > _MAX_NODE_ID:
                findings.invalid(f"{at}.nodeID", driver["nodeID"], f"must be {_MAX_NODE_ID} characters or less")
            keys = driver.get("topologyKeys") or []
            for position, key in enumerate(keys):
                if not key:
                    findings.required(at)
                if key in keys[:position]:
                    findings.duplicate(at, key)
                findings.form(at, key, qualified_name(key))

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        before = {driver.get("name"): driver for driver in old.spec.get("drivers") or ()}
        for driver in new.spec.get("drivers") or ():
            if driver.get("name") in before and _fixed(driver) != _fixed(before[driver.get("name")]):
                findings.invalid("spec.drivers", driver, "field is immutable")


def _fixed(driver: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in driver.items() if name != "allocatable"}


class VolumeAttributesClassStrategy(UntypedStrategy):
    """The rules of classes of attributes."""

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        for name in ("driverName", "parameters"):
            if new.content.get(name) != old.content.get(name):
                findings.forbidden(name, f"updates to {name} are forbidden.")


VOLUMEATTACHMENT: Final = Supplement(VolumeAttachmentStrategy)
CSIDRIVER: Final = Supplement(CSIDriverStrategy)
CSINODE: Final = Supplement(CSINodeStrategy)
VOLUMEATTRIBUTESCLASS: Final = Supplement(VolumeAttributesClassStrategy)
STORAGECLASS: Final = Supplement(cells={"Name": name_of_class(*DEFAULT)})
