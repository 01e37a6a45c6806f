"""ReplicationController: its selector and labels follow from the template; the selector must find what it makes."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from msgspec.structs import replace

from master.api.checks import Findings
from master.api.kinds.replicationcontroller import ReplicationController, ReplicationControllerStatus
from master.api.strategies.base import Strategy, spec_and_status_apart
from master.api.strategies.podcheck import check_pod_spec
from master.api.strategies.podspec import default_pod_spec


class ReplicationControllerStrategy(Strategy[ReplicationController]):
    """One replica and the template's labels as selector, unless said otherwise."""

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

    def check(self, obj: ReplicationController, old: ReplicationController | None, found: Findings) -> None:
        spec = obj.spec
        found.labels("spec.selector", spec.selector)
        if not spec.selector:
            found.required("spec.selector")
        template = spec.template
        if template is None:
            found.required("spec.template")
            return
        labels = template.metadata.labels
        found.labels("spec.template.metadata.labels", labels)
        found.annotations("spec.template.metadata.annotations", template.metadata.annotations)
        if any(labels.get(key) != value for key, value in spec.selector.items()):
            found.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        check_pod_spec(template.spec, "spec.template.spec", found)
        if template.spec.restart_policy in ("Never", "OnFailure"):
            found.unsupported("spec.template.spec.restartPolicy", template.spec.restart_policy, ("Always",))
        if template.spec.active_deadline_seconds is not None:
            found.forbidden(
                "spec.template.spec.activeDeadlineSeconds",
                "activeDeadlineSeconds in ReplicationController is not Supported",
            )
