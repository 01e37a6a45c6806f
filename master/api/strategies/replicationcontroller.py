"""ReplicationController: its selector and labels default to those of the template, which the selector must match."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from msgspec.structs import replace

from master.kinds.core.pod.defaults import default_pod_spec
from master.kinds.core.pod.validation import check_pod_spec
from master.kinds.core.replicationcontroller import ReplicationController, ReplicationControllerStatus
from master.registry.strategy import Strategy, spec_and_status_apart
from master.schema.checks import Findings


class ReplicationControllerStrategy(Strategy[ReplicationController]):
    """The defaults are one replica, and the template's labels as selector."""

    def default(self, obj: ReplicationController) -> ReplicationController:
        spec, metadata = obj.spec, obj.metadata
        if spec.template is not None:
            labels = spec.template.metadata.labels
            spec = replace(
                spec,
                selector=spec.selector or labels,
                template=replace(spec.template, spec=default_pod_spec(spec.template.spec)),
            )
            metadata = metadata if metadata.labels else replace(metadata, labels=labels)
        return replace(
            obj, metadata=metadata, spec=replace(spec, replicas=1 if spec.replicas is None else spec.replicas)
        )

    def for_create(self, obj: ReplicationController, now: datetime) -> ReplicationController:
        return replace(obj, status=ReplicationControllerStatus())

    def for_update(
        self, new: ReplicationController, old: ReplicationController, subresource: str
    ) -> ReplicationController:
        return cast(ReplicationController, spec_and_status_apart(new, old, subresource))

    def check(self, obj: ReplicationController, old: ReplicationController | None, findings: Findings) -> None:
        spec = obj.spec
        findings.labels("spec.selector", spec.selector)
        if not spec.selector:
            findings.required("spec.selector")
        template = spec.template
        if template is None:
            findings.required("spec.template")
            return
        labels = template.metadata.labels
        findings.labels("spec.template.metadata.labels", labels)
        findings.annotations("spec.template.metadata.annotations", template.metadata.annotations)
        if any(labels.get(key) != value for key, value in spec.selector.items()):
            findings.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        check_pod_spec(template.spec, "spec.template.spec", findings)
        if template.spec.restart_policy in ("Never", "OnFailure"):
            findings.unsupported("spec.template.spec.restartPolicy", template.spec.restart_policy, ("Always",))
        if template.spec.active_deadline_seconds is not None:
            findings.forbidden(
                "spec.template.spec.activeDeadlineSeconds",
                "activeDeadlineSeconds in ReplicationController is not Supported",
            )
