"""SubjectAccessReview and LocalSubjectAccessReview: whether a user may do something, in any or in one namespace."""

from __future__ import annotations

from typing import Any

from msgspec import field
from msgspec.structs import replace

from master.api.errors import Invalid
from master.api.identity import Caller
from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.kinds.authorization.access import Access, SubjectAccessReviewStatus, check_metadata, decide
from master.kinds.review import review
from master.objects.meta import Object
from master.schema.checks import Findings

_GROUP = "authorization.k8s.io"


class SubjectAccessReviewSpec(Access, frozen=True, kw_only=True):
    """The access, and the user or the groups in question."""

    user: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    uid: str = ""


class SubjectAccessReview(Object, frozen=True, kw_only=True):
    """Asks whether a user or a group may do something."""

    spec: SubjectAccessReviewSpec = field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


class LocalSubjectAccessReview(SubjectAccessReview, frozen=True, kw_only=True):
    """Asks whether a user or a group may do something in the namespace of this object."""


async def _act(resources: Resources, permit: Permit, review: Any) -> Any:
    resource, spec = permit.request.resource, review.spec
    findings = Findings()
    spec.check(findings)
    if not spec.user and not spec.groups:
        findings.invalid("spec.user", spec.user, "at least one of user or group must be specified")
    check_metadata(review.metadata, findings, namespaced=resource.namespaced)
    if resource.namespaced:
        _check_local(spec, permit.request.namespace, findings)
    if findings:
        raise Invalid.of(resource, review.metadata.name, findings.causes)
    caller = Caller(spec.user, frozenset(spec.groups), spec.uid, tuple(sorted(spec.extra.items())))
    status = await decide(resources.pipeline.authorizer, caller, spec)
    return replace(review, api_version=resource.api_version, kind=resource.kind, status=status)


def _check_local(spec: SubjectAccessReviewSpec, namespace: str, findings: Findings) -> None:
    """Checks that the access is in the namespace of the path."""
    if spec.non_resource_attributes is not None:
        why = "disallowed on this kind of request"
        findings.invalid("spec.nonResourceAttributes", spec.non_resource_attributes, why)
    elif spec.resource_attributes is not None and spec.resource_attributes.namespace != namespace:
        where = spec.resource_attributes.namespace
        findings.invalid("spec.resourceAttributes.namespace", where, "must match metadata.namespace")


SUBJECTACCESSREVIEW = review(SubjectAccessReview, _GROUP, _act)
LOCALSUBJECTACCESSREVIEW = review(LocalSubjectAccessReview, _GROUP, _act, namespaced=True)
