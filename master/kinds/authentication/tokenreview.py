"""TokenReview: whether a token is valid, and whose it is."""

from __future__ import annotations

from msgspec import field
from msgspec.structs import replace

from master.api.errors import BadRequest, Unauthorized
from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.kinds.authentication.userinfo import UserInfo, user_info
from master.kinds.review import review
from master.objects.meta import Model, Object


class TokenReviewSpec(Model, frozen=True, kw_only=True):
    """The token, and the audiences of which at least one must accept it (default: the API server)."""

    token: str = ""
    audiences: tuple[str, ...] = ()


class TokenReviewStatus(Model, frozen=True, kw_only=True):
    """The answer. `user` and `audiences` are set if the token is valid, `error` if it is not."""

    authenticated: bool = False
    user: UserInfo = field(default_factory=UserInfo)
    audiences: tuple[str, ...] = ()
    error: str = ""


class TokenReview(Object, frozen=True, kw_only=True):
    """Asks whether a token is valid."""

    spec: TokenReviewSpec = field(default_factory=TokenReviewSpec)
    status: TokenReviewStatus = field(default_factory=TokenReviewStatus)


async def _act(resources: Resources, permit: Permit, review: TokenReview) -> TokenReview:
    if not review.spec.token:
        raise BadRequest("token is required for TokenReview in authentication")
    try:
        caller, audiences = resources.tokens.authenticate(review.spec.token, review.spec.audiences)
    except Unauthorized as error:
        status = TokenReviewStatus(error=error.message.removeprefix("Unauthorized: "))
    else:
        status = TokenReviewStatus(authenticated=True, user=user_info(caller), audiences=audiences)
    return replace(review, api_version="authentication.k8s.io/v1", kind="TokenReview", status=status)


TOKENREVIEW = review(TokenReview, "authentication.k8s.io", _act)
