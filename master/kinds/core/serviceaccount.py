"""ServiceAccount: an identity for programs in pods."""

from __future__ import annotations

from master.kinds.authentication.tokenrequest import TOKEN
from master.objects.meta import LocalObjectReference, Object, ObjectReference
from master.registry.resource import Resource
from master.schema.schema import Typed


class ServiceAccount(Object, frozen=True, kw_only=True):
    """An identity for programs in pods, and for others that have a token of it (`kubectl create token`).

    Its user name is `system:serviceaccount:NAMESPACE:NAME`. Each namespace has the account `default`.
    `automountServiceAccountToken`: whether pods get a token, unless they say so themselves. `imagePullSecrets`: those
    of its pods that name none of their own. `secrets`: those that its pods may use.
    """

    secrets: tuple[ObjectReference, ...] = ()
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    automount_service_account_token: bool | None = None


SERVICEACCOUNT = Resource(
    kind="ServiceAccount",
    plural="serviceaccounts",
    schema=Typed(ServiceAccount),
    short_names=("sa",),
    subresources=(TOKEN,),
)
