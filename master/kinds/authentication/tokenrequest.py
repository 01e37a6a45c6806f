"""TokenRequest: a token of a service account, as the account's subresource `token`."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Annotated, Any, Final

from msgspec import field
from msgspec.structs import replace

from master.api.errors import BadRequest, Conflict, Invalid, NotFound
from master.api.pipeline.request import Permit
from master.api.resources import Resources
from master.api.tokens import Claims, Named
from master.cache import Entry
from master.objects.meta import Model, Object, always, timestamp
from master.objects.scalars import Int64, Time, default
from master.registry.subresource import Action, Served
from master.schema.checks import Findings
from master.schema.schema import Typed

_SHORTEST_S: Final = 600
_LONGEST_S: Final = 1 << 32
_LIFETIME_S: Final = 3600
INJECTED_S: Final = 3607
"""The lifetime of the tokens that every pod gets. Kubernetes knows them by it, too."""
_EXTENDED: Final = timedelta(days=365)


class BoundObjectReference(Model, frozen=True, kw_only=True):
    """The object to which the token is bound: a Pod or Secret of the namespace, or a Node.

    Without `uid`, the token is bound to the object that has the name now.
    """

    kind: str = ""
    api_version: str = ""
    name: str = ""
    uid: str = ""


class TokenRequestSpec(Model, frozen=True, kw_only=True):
    """What the token is for.

    `audiences`: who may accept the token (default: the API server). `expirationSeconds`: how long it is valid, in
    seconds, at least 600 (default 3600). `boundObjectRef`: the token ends with this object.
    """

    audiences: tuple[str, ...] = ()
    expiration_seconds: Annotated[Int64 | None, default(_LIFETIME_S)] = None
    bound_object_ref: BoundObjectReference | None = None


class TokenRequestStatus(Model, frozen=True, kw_only=True):
    """The token, and when it ends."""

    token: str = always("")
    expiration_timestamp: Time = always("")


class TokenRequest(Object, frozen=True, kw_only=True):
    """Asks for a token of a service account."""

    spec: TokenRequestSpec = field(default_factory=TokenRequestSpec)
    status: TokenRequestStatus = field(default_factory=TokenRequestStatus)


async def _act(resources: Resources, permit: Permit, body: TokenRequest) -> TokenRequest:
    """The request with the token. Raises NotFound, Invalid, BadRequest, Conflict."""
    request, spec = permit.request, body.spec
    account = resources.cache.entry(request.resource, request.namespace, request.name)
    if account is None or account.meta.deletion_timestamp:
        raise NotFound.of(request.resource, request.name)
    uid = body.metadata.uid
    if uid and uid != account.meta.uid:
        why = f"the UID in the token request ({uid}) does not match the UID of the service account ({account.meta.uid})"
        raise Conflict.of(request.resource, account.name, why)
    seconds = spec.expiration_seconds if spec.expiration_seconds is not None else _LIFETIME_S
    _check(request.name, seconds)
    audiences = spec.audiences or (resources.tokens.audience,)
    claims = token_claims(resources, account, audiences, seconds, spec.bound_object_ref)
    now = claims.issued
    expires = claims.warn_after or claims.expires
    status = TokenRequestStatus(token=resources.tokens.issue(claims), expiration_timestamp=timestamp(expires))
    meta = replace(
        body.metadata,
        name=account.name,
        namespace=account.namespace,
        uid=account.meta.uid,
        creation_timestamp=timestamp(now),
    )
    return replace(
        body,
        api_version="authentication.k8s.io/v1",
        kind="TokenRequest",
        metadata=meta,
        spec=replace(spec, audiences=audiences, expiration_seconds=seconds),
        status=status,
    )


def token_claims(
    resources: Resources,
    account: Entry,
    audiences: tuple[str, ...],
    seconds: int,
    reference: BoundObjectReference | None = None,
) -> Claims:
    """The claims of a token of the account. Raises NotFound, BadRequest, Conflict.

    A token that Kubernetes puts into every pod is valid for a year, as long as the pod exists: old programs read it
    only once. The claim `warnafter` says when it should have been replaced.
    """
    now = resources.clock.now()
    claims = Claims(
        namespace=account.namespace,
        account=Named(account.name, account.meta.uid),
        audiences=audiences,
        issued=now,
        expires=now + timedelta(seconds=seconds),
    )
    claims = _bound(claims, resources, account, reference)
    if claims.pod is not None and seconds == INJECTED_S and audiences == (resources.tokens.audience,):
        return dataclasses.replace(claims, expires=now + _EXTENDED, warn_after=claims.expires)
    return claims


def _check(name: str, seconds: int) -> None:
    findings = Findings()
    if seconds < _SHORTEST_S:
        findings.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    elif seconds > _LONGEST_S:
        findings.invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if findings:
        raise Invalid.of_kind("TokenRequest", name, findings.causes, group="authentication.k8s.io")


def _bound(claims: Claims, resources: Resources, account: Entry, reference: BoundObjectReference | None) -> Claims:
    """The claims with the object to which the token is bound."""
    if reference is None:
        return claims
    if (reference.api_version, reference.kind) not in (("v1", "Pod"), ("v1", "Secret"), ("v1", "Node")):
        raise BadRequest(f"cannot bind token to object of type {reference.api_version}, Kind={reference.kind}")
    resource = resources.registry.of_kind(reference.api_version, reference.kind)
    assert resource is not None
    entry = resources.cache.entry(resource, account.namespace if resource.namespaced else "", reference.name)
    if entry is None:
        raise NotFound.of(resource, reference.name)
    if reference.uid and reference.uid != entry.meta.uid:
        why = f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. "
        raise Conflict.of(resource, entry.name, why + "The object might have been deleted and then recreated")
    named = Named(entry.name, entry.meta.uid)
    match reference.kind:
        case "Pod":
            return dataclasses.replace(claims, pod=named, node=_node_of(resources, account, entry.obj))
        case "Secret":
            return dataclasses.replace(claims, secret=named)
        case _:
            return dataclasses.replace(claims, node=named)


def _node_of(resources: Resources, account: Entry, pod: Any) -> Named | None:
    """The node of a pod, which must run as this account. None if it has none yet."""
    if pod.spec.service_account_name != account.name:
        raise BadRequest(
            f'cannot bind token for serviceaccount "{account.name}" to pod running with different serviceaccount name.'
        )
    nodes = resources.registry.of_kind("v1", "Node")
    node = nodes and pod.spec.node_name and resources.cache.entry(nodes, "", pod.spec.node_name)
    return Named(node.name, node.meta.uid) if node else None


TOKEN = Action("token", Served("TokenRequest", "authentication.k8s.io", "v1"), Typed(TokenRequest), act=_act)
"""The subresource `token` of service accounts."""
