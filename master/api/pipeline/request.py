"""A request to the pipeline, and the proof that its caller has the permission."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from master.api.identity import Caller
from master.registry.resource import Resource


@dataclass(frozen=True, slots=True)
class Request:
    """The operation that a caller requests. `name` is empty for a new object; `namespace` for cluster-scoped resources.

    `verb`: create, update, patch, delete and so on, as in the rules of RBAC. With `dry_run` everything is checked and
    nothing is written.
    """

    caller: Caller
    verb: str
    resource: Resource[Any]
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Permit:
    """An authorized request. Only `Pipeline.authorize` makes one, and every write needs one."""

    request: Request

    def dry(self) -> Permit:
        """The permit for the same request as a dry run."""
        return Permit(replace(self.request, dry_run=True))

    def of(self, namespace: str, name: str) -> Permit:
        """The permit for one object of a collection."""
        return Permit(replace(self.request, namespace=namespace, name=name))
