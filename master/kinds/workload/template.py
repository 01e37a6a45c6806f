"""Defaults and checks of pod templates. The template of a workload is at `spec.template`."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from master.kinds.core.pod.defaults import default_template_spec
from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.core.pod.validation import check_template_spec
from master.objects.scalars import MAX_INT32
from master.schema.checks import Findings

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_COST: Final = re.compile(r"-[0-9]{1,18}|0|[1-9][0-9]{0,9}", re.ASCII)
_MIRROR: Final = "kubernetes.io/config.mirror"


def default_template(template: PodTemplateSpec) -> PodTemplateSpec:
    """The template with the defaults of its pods."""
    return replace(template, spec=default_template_spec(template.spec))


def check_template(template: PodTemplateSpec, old: PodTemplateSpec | None, at: str, findings: Findings) -> None:
    """Checks a template that has its defaults. `at` is its path.

    `old`: the template before the change, None for a new object. It was valid when it was written, so a template that
    does not change is not checked again: its workload can still be scaled.
    """
    meta = template.metadata
    findings.labels(f"{at}.labels", meta.labels)
    findings.annotations(f"{at}.annotations", meta.annotations)
    if _MIRROR in meta.annotations and not template.spec.node_name:
        why = "must set spec.nodeName if mirror pod annotation is set"
        findings.invalid(f"{at}.annotations[{_MIRROR}]", meta.annotations[_MIRROR], why)
    cost = meta.annotations.get(DELETION_COST)
    if cost is not None and deletion_cost(cost) is None:
        findings.invalid(f"{at}.annotations[{DELETION_COST}]", cost, "must be a 32bit integer")
    if template != old:
        check_template_spec(template.spec, f"{at}.spec", findings)


def check_lasting_template(
    template: PodTemplateSpec, old: PodTemplateSpec | None, kind: str, findings: Findings
) -> None:
    """Checks `spec.template` of a workload whose pods run until they are deleted. `kind` is for messages."""
    check_template(template, old, "spec.template", findings)
    at, spec = "spec.template.spec", template.spec
    # Other values are not valid for any pod, so that they are reported already.
    if spec.restart_policy in ("Never", "OnFailure"):
        findings.unsupported(f"{at}.restartPolicy", spec.restart_policy, ("Always",))
    deadline = spec.active_deadline_seconds
    if deadline is not None and 1 <= deadline <= MAX_INT32:
        findings.forbidden(f"{at}.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")


def deletion_cost(text: str) -> int | None:
    """The value of the annotation, an integer of 32 bits without `+` and leading zeros; None if it is not one."""
    if not _COST.fullmatch(text):
        return None
    number = int(text)
    return number if -MAX_INT32 - 1 <= number <= MAX_INT32 else None
