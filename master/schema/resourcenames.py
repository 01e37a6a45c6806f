"""The resources that containers request and quotas limit: their names, such as `cpu`, and the amounts of each.

The wording is that of the Kubernetes API, so that users recognise it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from master.schema import quantity
from master.schema.checks import Findings
from master.schema.names import qualified_name

# Results that are remembered: the same names and amounts come again and again.
_REMEMBERED = 4096
_COUNTED = (
    *("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps"),
    *("persistentvolumeclaims", "services.nodeports", "services.loadbalancers"),
)
_MEASURED = ("cpu", "memory", "ephemeral-storage")
_IN_CONTAINERS = frozenset(_MEASURED)
_IN_QUOTAS = frozenset(
    (*_COUNTED, *_MEASURED, *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _MEASURED))
) | {"requests.storage"}
_STANDARD = _IN_QUOTAS | {"storage"}
HUGE_PAGES = "hugepages-"
"""What the names of huge pages begin with; their size follows."""


def resource_name(text: str) -> str:
    """Why the text is not the name of a resource; empty if it is one. Names without a domain are Kubernetes' own."""
    if wrong := qualified_name(text):
        return wrong
    if "/" in text or text in _STANDARD or text.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}")):
        return ""
    return "must be a standard resource type or fully qualified"


@lru_cache(maxsize=_REMEMBERED)
def container_resource_name(text: str) -> str:
    """Why the text is not the name of a resource that a container may request; empty if it is one."""
    if wrong := resource_name(text):
        return wrong
    if "/" not in text:
        known = text in _IN_CONTAINERS or text.startswith(HUGE_PAGES)
        return "" if known else "must be a standard resource for containers"
    if "kubernetes.io/" in text or is_extended_resource(text):
        return ""
    return "doesn't follow extended resource name standard"


def quota_resource_name(text: str) -> str:
    """Why the text is not the name of a resource that a ResourceQuota may limit; empty if it is one."""
    if wrong := resource_name(text):
        return wrong
    known = "/" in text or text in _IN_QUOTAS or text.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}"))
    return "" if known else "must be a standard resource for quota"


def is_extended_resource(name: str) -> bool:
    """Whether the resource has a domain of its own, like example.com/gpu. The name must also fit a quota's name."""
    native = "/" not in name or "kubernetes.io/" in name
    return not native and not name.startswith("requests.") and not qualified_name(f"requests.{name}")


def is_integer_resource(name: str) -> bool:
    """Whether amounts of the resource are integers: numbers of objects, and extended resources."""
    return name in _COUNTED or is_extended_resource(name)


def may_be_overcommitted(name: str) -> bool:
    """Whether a request may be less than its limit."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith(HUGE_PAGES)


def resource_amount(name: str, text: str) -> str:
    """Why a quantity, which must be a valid one, is not an amount of this resource; empty if it is one."""
    if is_integer_resource(name):
        return "must be an integer" if quantity.millis_of(text) % 1000 else ""
    if name.startswith(HUGE_PAGES) and not _is_multiple(text, name.removeprefix(HUGE_PAGES)):
        return f"{quantity.canonical(text)} is not positive integer multiple of {name}"
    return ""


def _is_multiple(text: str, page: str) -> bool:
    try:
        size = quantity.bytes_of(page)
    except ValueError:
        return False
    return size > 0 and quantity.bytes_of(text) % size == 0


def container_resources(findings: Findings, at: str, requests: Mapping[str, str], limits: Mapping[str, str]) -> None:
    """Checks the names and amounts of a container's resources, and its requests against its limits.

    Skips texts that are not quantities, which the model reports, and negative ones.
    """
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, text in amounts.items():
            path = f"{at}.{kind}[{name}]"
            findings.form(path, name, container_resource_name(name))
            findings.form(path, text, _amount(name, text))
    for name, text in requests.items():
        limit = limits.get(name)
        if limit is None:
            if not may_be_overcommitted(name):
                findings.required(f"{at}.limits", "Limit must be set for non overcommitable resources")
        else:
            findings.form(f"{at}.requests", text, _beyond(name, text, limit))
    names = requests.keys() | limits.keys()
    if any(name.startswith(HUGE_PAGES) for name in names) and names.isdisjoint(("cpu", "memory")):
        findings.forbidden(at, "HugePages require cpu or memory")


@lru_cache(maxsize=_REMEMBERED)
def _amount(name: str, text: str) -> str:
    """Why a quantity is not an amount of this resource; empty if it is one, or if the text is not a quantity."""
    return resource_amount(name, text) if _is_quantity(text) else ""


@lru_cache(maxsize=_REMEMBERED)
def _beyond(name: str, request: str, limit: str) -> str:
    """Why the request does not fit the limit; empty if it does, or if one of them is not a quantity."""
    if not _is_quantity(request) or not _is_quantity(limit):
        return ""
    requested, allowed = quantity.parse(request), quantity.parse(limit)
    if requested != allowed and not may_be_overcommitted(name):
        return f"must be equal to {name} limit of {limit}"
    return f"must be less than or equal to {name} limit of {limit}" if requested > allowed else ""


def _is_quantity(text: str) -> bool:
    try:
        return quantity.parse(text) >= 0
    except ValueError:
        return False
