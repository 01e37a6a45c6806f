"""The IP families of services. All addresses of a cluster are IPv4."""

from __future__ import annotations

from msgspec.structs import replace

from master.kinds.core.service.model import ServiceSpec
from master.schema.checks import Findings

_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


def with_families(spec: ServiceSpec) -> ServiceSpec:
    """The spec with its default families.

    A headless service without a selector may have addresses of any family, because people write its endpoints. So it
    has both families unless it asks for a single one.
    """
    if spec.type == "ExternalName":
        return spec
    families = spec.ip_families or ("IPv4",)
    if not _is_free(spec):
        return replace(spec, ip_families=families, ip_family_policy=spec.ip_family_policy or "SingleStack")
    policy = spec.ip_family_policy or "RequireDualStack"
    if policy != "SingleStack" and len(families) == 1:
        families = (*families, _OTHER.get(families[0], "IPv4"))
    return replace(spec, ip_families=families, ip_family_policy=policy)


def check_families(spec: ServiceSpec, findings: Findings) -> None:
    """Refuses families and policies that the cluster cannot satisfy. PreferDualStack is satisfied with one family."""
    if spec.type == "ExternalName":
        if spec.ip_families:
            findings.forbidden("spec.ipFamilies", "may not be set when `type` is 'ExternalName'")
        if spec.ip_family_policy is not None:
            findings.forbidden("spec.ipFamilyPolicy", "may not be set when `type` is 'ExternalName'")
        return
    free = _is_free(spec)
    if spec.ip_family_policy == "RequireDualStack" and not free:
        why = "this cluster is not configured for dual-stack services"
        findings.invalid("spec.ipFamilyPolicy", spec.ip_family_policy, why)
    if spec.ip_family_policy == "SingleStack" and len(spec.ip_families) > 1:
        why = "must be RequireDualStack or PreferDualStack when multiple `ipFamilies` are specified"
        findings.invalid("spec.ipFamilyPolicy", spec.ip_family_policy, why)
    for index, family in enumerate(spec.ip_families):
        if family in spec.ip_families[:index]:
            findings.duplicate(f"spec.ipFamilies[{index}]", family)
        elif family == "IPv6" and not free:
            findings.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")


def _is_free(spec: ServiceSpec) -> bool:
    """Whether the service has no addresses of its own and selects no pods."""
    return spec.cluster_ip == "None" and not spec.selector
