"""Subresources: a part of an object, another view of it, an action on it, or a connection to it.

Each class is one form. REST knows the forms; the kinds make values of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from master.schema.checks import Findings
from master.schema.schema import Schema


@dataclass(frozen=True, slots=True)
class Served:
    """The type of a subresource's bodies, where it is not the object's own. An empty version: that of the object."""

    kind: str
    group: str = ""
    version: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version or "v1"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the object with its own write path: `status`, `finalize`.

    `take(new, old)` is the old object with this part of the new one, with its defaults. `attribute` is the field whose
    declared rules are checked, and `check` adds the others: the rest of the object was checked when it was written, so
    that a change of a status costs little. `stamp(new, old, now)` adds times to the taken object. `tracked`: whether
    managedFields say who wrote the part. `metadata`: the fields of the metadata that such a write may change.
    """

    name: str
    take: Callable[[Any, Any], Any]
    attribute: str = ""
    check: Callable[[Any, Any, Findings], None] | None = None
    stamp: Callable[[Any, Any, datetime], Any] | None = None
    verbs: tuple[str, ...] = ("get", "patch", "update")
    served: Served | None = None
    tracked: bool = True
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The object in another form, such as the Scale of a controller. `read` makes it, `write` applies a changed one.

    `path`: the field that can be written. It is at the same place in both forms.
    """

    name: str
    served: Served
    schema: Schema[Any]
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], Any]
    path: tuple[str, ...]
    verbs: tuple[str, ...] = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Action:
    """Something done by a POST: to an object, such as a binding, or as the only verb of a resource that is not stored.

    `act(resources, permit, body)` does it and returns the body of the response. `resources` is a
    `master.api.resources.Resources`, `permit` a `master.api.pipeline.request.Permit`.
    """

    name: str
    served: Served
    schema: Schema[Any]
    act: Callable[[Any, Any, Any], Awaitable[Any]]
    verbs: tuple[str, ...] = ("create",)


@dataclass(frozen=True, slots=True)
class Connection:
    """A stream from or to the object, such as a log. The API server has a connector for it.

    `permission`: a verb that the caller must be allowed besides that of the method. A websocket is always a GET, so
    for a stream that changes something, the permission to read is not enough.
    """

    name: str
    verbs: tuple[str, ...] = ("get",)
    served: Served | None = None
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Proxy:
    """What the object itself answers over HTTP, to any method. The API server has a connector for it.

    The rest of the path belongs to it. In the path, the object's name may have a scheme before it and a port behind it.
    """

    name: str
    served: Served
    verbs: tuple[str, ...] = ("create", "delete", "get", "patch", "update")


METADATA: Final = ("annotations", "labels")
"""What a write of most statuses may change in the metadata."""

Subresource = Part | View | Action | Connection | Proxy


def take_status(new: Any, old: Any) -> Any:
    """The old object with the new one's status."""
    return replace(old, status=new.status)


STATUS = Part("status", take=take_status, attribute="status", metadata=METADATA)
"""The subresource `status` of a resource that has a spec and a status."""
