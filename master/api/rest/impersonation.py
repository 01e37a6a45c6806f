"""Impersonation: a caller sends a request as another user, with the headers Impersonate-* (`kubectl --as`).

The caller needs the permission `impersonate` for the user, each group, the uid and each extra value. Rules and names of
resources are those of Kubernetes' API reference (User impersonation).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from master.api.errors import BadRequest
from master.api.identity import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, Caller
from master.api.pipeline.authorization import Attributes, Authorizer

_PREFIX: Final = "impersonate-"
_USER, _GROUP, _UID, _EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
_ACCOUNT: Final = "system:serviceaccount:"
_REVIEWS: Final = "authentication.k8s.io"


def is_impersonated(request: web.BaseRequest) -> bool:
    """Whether the request has one of the headers."""
    # Every request passes here, and almost none has such a header. Clients send the same names again and again.
    return _is_impersonated(tuple(request.headers))


@lru_cache(maxsize=128)
def _is_impersonated(headers: tuple[str, ...]) -> bool:
    return any(name.lower().startswith(_PREFIX) for name in headers)


async def impersonate(caller: Caller, request: web.BaseRequest, authorizer: Authorizer) -> Caller:
    """The user as whom a request that `is_impersonated` is sent.

    Raises BadRequest for headers without a user; Unauthorized or Forbidden if the caller may not do this.
    """
    user = _impersonated(request)
    for attributes in _permissions(user, request.headers.getall(_GROUP, [])):
        await authorizer.authorize(caller, attributes)
    return user


def _impersonated(request: web.BaseRequest) -> Caller:
    headers = request.headers
    name = headers.get(_USER, "")
    if not name:
        raise BadRequest("a group, a uid or an extra value cannot be impersonated without a user: Impersonate-User")
    groups = set(headers.getall(_GROUP, []))
    account = _account(name)
    if account is not None and not groups:
        groups |= {"system:serviceaccounts", f"system:serviceaccounts:{account[0]}"}
    if name == ANONYMOUS.name:
        groups.add(UNAUTHENTICATED)
    elif UNAUTHENTICATED not in groups:
        groups.add(AUTHENTICATED)
    extra: dict[str, list[str]] = {}
    for header, value in headers.items():
        if header.lower().startswith(_EXTRA):
            extra.setdefault(unquote(header.lower()[len(_EXTRA) :]), []).append(value)
    sorted_extra = tuple((key, tuple(values)) for key, values in sorted(extra.items()))
    return Caller(name, frozenset(groups), headers.get(_UID, ""), sorted_extra)


def _permissions(user: Caller, groups: list[str]) -> Iterator[Attributes]:
    """What the caller has to be allowed. `groups`: those in the headers, without the ones that follow from the name."""
    account = _account(user.name)
    if account is not None:
        yield Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes("impersonate", resource="users", name=user.name)
    for group in groups:
        yield Attributes("impersonate", resource="groups", name=group)
    if user.uid:
        yield Attributes("impersonate", _REVIEWS, "uids", name=user.uid)
    for key, values in user.extra:
        for value in values:
            yield Attributes("impersonate", _REVIEWS, "userextras", key, name=value)


def _account(user: str) -> tuple[str, str] | None:
    """The namespace and the name of a service account's user name."""
    if not user.startswith(_ACCOUNT):
        return None
    namespace, _, name = user[len(_ACCOUNT) :].partition(":")
    return (namespace, name) if namespace and name and ":" not in name else None
