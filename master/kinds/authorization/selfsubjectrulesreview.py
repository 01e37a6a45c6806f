"""SelfSubjectRulesReview: all that the caller may do in a namespace (`kubectl auth can-i --list`)."""

from __future__ import annotations

from msgspec import field
from msgspec.structs import replace

from master.api.errors import BadRequest
from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.kinds.review import review
from master.objects.meta import Model, Object, always


class SelfSubjectRulesReviewSpec(Model, frozen=True, kw_only=True):
    """The namespace in question."""

    namespace: str = ""


class ResourceRule(Model, frozen=True, kw_only=True):
    """Permission for resources: every verb on every resource of every group in it. `*` means all.

    Without `resourceNames`, for all names.
    """

    verbs: tuple[str, ...] = always(())
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


class NonResourceRule(Model, frozen=True, kw_only=True):
    """Permission for paths that are not resources. `*` means all, also as the last step of a path."""

    verbs: tuple[str, ...] = always(())
    non_resource_urls: tuple[str, ...] = field(default=(), name="nonResourceURLs")


class SubjectRulesReviewStatus(Model, frozen=True, kw_only=True):
    """The permissions. `incomplete`: there may be others."""

    resource_rules: tuple[ResourceRule, ...] = always(())
    non_resource_rules: tuple[NonResourceRule, ...] = always(())
    incomplete: bool = always(False)
    evaluation_error: str = ""


class SelfSubjectRulesReview(Object, frozen=True, kw_only=True):
    """Asks for all that the caller may do in a namespace."""

    spec: SelfSubjectRulesReviewSpec = field(default_factory=SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = field(default_factory=SubjectRulesReviewStatus)


async def _act(resources: Resources, permit: Permit, review: SelfSubjectRulesReview) -> SelfSubjectRulesReview:
    namespace = review.spec.namespace
    if not namespace:
        raise BadRequest("no namespace on request")
    rules = resources.pipeline.authorizer.rules(permit.request.caller, namespace)
    status = SubjectRulesReviewStatus(
        resource_rules=tuple(
            ResourceRule(verbs=rule.verbs, api_groups=rule.groups, resources=rule.resources)
            for rule in rules
            if not rule.paths
        ),
        non_resource_rules=tuple(
            NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.paths) for rule in rules if rule.paths
        ),
    )
    resource = permit.request.resource
    return replace(review, api_version=resource.api_version, kind=resource.kind, status=status)


SELFSUBJECTRULESREVIEW = review(SelfSubjectRulesReview, "authorization.k8s.io", _act)
