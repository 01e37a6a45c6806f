"""SelfSubjectAccessReview: whether the caller may do something (`kubectl auth can-i`)."""

from __future__ import annotations

from msgspec import field
from msgspec.structs import replace

from master.api.errors import Invalid
from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.kinds.authorization.access import Access, SubjectAccessReviewStatus, check_metadata, decide
from master.kinds.review import review
from master.objects.meta import Object
from master.schema.checks import Findings


class SelfSubjectAccessReviewSpec(Access, frozen=True, kw_only=True):
    """The access in question."""


class SelfSubjectAccessReview(Object, frozen=True, kw_only=True):
    """Asks whether the caller may do something."""

    spec: SelfSubjectAccessReviewSpec = field(default_factory=SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


async def _act(resources: Resources, permit: Permit, review: SelfSubjectAccessReview) -> SelfSubjectAccessReview:
    resource = permit.request.resource
    findings = Findings()
    review.spec.check(findings)
    check_metadata(review.metadata, findings)
    if findings:
        raise Invalid.of(resource, review.metadata.name, findings.causes)
    status = await decide(resources.pipeline.authorizer, permit.request.caller, review.spec)
    return replace(review, api_version=resource.api_version, kind=resource.kind, status=status)


SELFSUBJECTACCESSREVIEW = review(SelfSubjectAccessReview, "authorization.k8s.io", _act)
