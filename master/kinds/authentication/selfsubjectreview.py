"""SelfSubjectReview: who the caller is (`kubectl auth whoami`)."""

from __future__ import annotations

from msgspec import field
from msgspec.structs import replace

from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.kinds.authentication.userinfo import UserInfo, user_info
from master.kinds.review import review
from master.objects.meta import Model, Object, timestamp


class SelfSubjectReviewStatus(Model, frozen=True, kw_only=True):
    """The user that sends the request."""

    user_info: UserInfo = field(default_factory=UserInfo)


class SelfSubjectReview(Object, frozen=True, kw_only=True):
    """Asks who the caller is."""

    status: SelfSubjectReviewStatus = field(default_factory=SelfSubjectReviewStatus)


async def _act(resources: Resources, permit: Permit, review: SelfSubjectReview) -> SelfSubjectReview:
    return replace(
        review,
        api_version="authentication.k8s.io/v1",
        kind="SelfSubjectReview",
        metadata=replace(review.metadata, creation_timestamp=timestamp(resources.clock.now())),
        status=SelfSubjectReviewStatus(user_info=user_info(permit.request.caller)),
    )


SELFSUBJECTREVIEW = review(SelfSubjectReview, "authentication.k8s.io", _act)
