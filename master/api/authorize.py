"""Who may do what. One function, asked for every request from REST and from inside the process."""

from __future__ import annotations

from dataclasses import dataclass

from master.api.errors import Forbidden, Unauthorized
from master.api.identity import MASTERS, UNAUTHENTICATED, Caller

# The only things that somebody unknown may read: the authority's certificate, and whether the server lives.
PUBLIC_PATHS = frozenset({"/sampan/v1/ca", "/healthz", "/livez", "/readyz", "/version"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked: a verb on a resource, or on a path that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def authorize(caller: Caller, attributes: Attributes) -> None:
    """Returns when it is allowed; Unauthorized for somebody unknown, Forbidden for everybody else."""
    if attributes.path in PUBLIC_PATHS and attributes.verb == "get":
        return
    if MASTERS in caller.groups:
        return
    if UNAUTHENTICATED in caller.groups:
        raise Unauthorized("Unauthorized: a client certificate of this cluster is needed; the kubeconfig carries one")
    raise Forbidden(
        _refusal(caller, attributes), name=attributes.name, group=attributes.group, kind=attributes.resource
    )


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
