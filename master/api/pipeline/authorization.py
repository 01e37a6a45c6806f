"""Authorization: whether a caller may do what a request asks for. It decides every request exactly once."""

from __future__ import annotations

from typing import Protocol

import msgspec

from master.api.errors import Forbidden, Unauthorized
from master.api.identity import MASTERS, UNAUTHENTICATED, Caller

# All that an unknown caller may read: the CA's certificate, the version, and whether the server is alive.
PUBLIC_PATHS = frozenset({"/sampan/v1/ca", "/healthz", "/livez", "/readyz", "/version"})


class Attributes(msgspec.Struct, frozen=True):
    """A request for permission: a verb on a resource, or on a path that is not a resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Rule(msgspec.Struct, frozen=True):
    """A permission: each of the verbs on each of the resources of each of the groups, or on each of the paths.

    `*` means all.
    """

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Authorizer(Protocol):
    """Decides about requests."""

    async def authorize(self, caller: Caller, attributes: Attributes) -> None:
        """Returns if the request is allowed. Raises Unauthorized for an unknown caller, Forbidden for a known one."""
        ...

    def rules(self, caller: Caller, namespace: str) -> tuple[Rule, ...]:
        """All that a caller may do in a namespace."""
        ...


class MastersOnly:
    """Allows everything to the group system:masters, the public paths to everybody, and nothing else."""

    async def authorize(self, caller: Caller, attributes: Attributes) -> None:
        """Raises Unauthorized, Forbidden."""
        if MASTERS in caller.groups or (attributes.path in PUBLIC_PATHS and attributes.verb == "get"):
            return
        if UNAUTHENTICATED in caller.groups:
            raise Unauthorized(
                "Unauthorized: a client certificate of this cluster is needed; the kubeconfig contains one"
            )
        raise Forbidden(
            _refusal(caller, attributes), name=attributes.name, group=attributes.group, kind=attributes.resource
        )

    def rules(self, caller: Caller, namespace: str) -> tuple[Rule, ...]:
        public = Rule(("get",), paths=tuple(sorted(PUBLIC_PATHS)))
        if MASTERS not in caller.groups:
            return (public,)
        every = ("*",)
        return Rule(every, every, every), Rule(every, paths=every), public


def _refusal(caller: Caller, asked: Attributes) -> str:
    if asked.path:
        return f'forbidden: User "{caller.name}" cannot {asked.verb} path "{asked.path}"'
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    full = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    named = f'{full} "{asked.name}"' if asked.name else full
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'{named} is forbidden: User "{caller.name}" cannot {asked.verb} resource "{resource}"'
        f' in API group "{asked.group}" {where}'
    )
