"""A request to the pipeline, and the proof that its caller has the permission."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from master.api.identity import Caller
from master.registry.resource import Resource


class Request(msgspec.Struct, frozen=True):
    """The operation that a caller requests. `name` is empty for a new object; `namespace` for cluster-scoped resources.

    `verb`: create, update, patch, delete and so on, as in the rules of RBAC. With `dry_run` everything is checked and
    nothing is written. `manager` gets the fields that the request changes; without one, managedFields stay as they are.
    `operation` is Update, or Apply if the object comes with its managedFields. `api_version` is that of the path, or
    empty for the stored one.
    """

    caller: Caller
    verb: str
    resource: Resource[Any]
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False
    manager: str = ""
    operation: str = "Update"
    api_version: str = ""


class Permit(msgspec.Struct, frozen=True):
    """An authorized request. Only `Pipeline.authorize` makes one, and every write needs one."""

    request: Request

    def dry(self) -> Permit:
        """The permit for the same request as a dry run."""
        return Permit(replace(self.request, dry_run=True))

    def of(self, namespace: str, name: str) -> Permit:
        """The permit for one object of a collection."""
        return Permit(replace(self.request, namespace=namespace, name=name))
