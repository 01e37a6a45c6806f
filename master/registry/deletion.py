"""How objects of a resource are deleted: at once, after a grace period, or held by something else than finalizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from master.objects.meta import Object

if TYPE_CHECKING:
    from master.registry.resource import Resource

T = TypeVar("T", bound=Object)
# Whether an object exists: resource, namespace, name.
Exists = Callable[["Resource[Any]", str, str], bool]
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Options of a deletion. `uid` and `resource_version` are preconditions, unless empty.

    `grace_period_s`: the requested grace period in seconds; None: the default of the object. `propagation`: what
    happens to dependents; None: the default of the resource, and finalizers that were set before stay.
    """

    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: Propagation | None = None


class DeletionPolicy(Generic[T]):
    """Deletes at once. Resources with grace periods or other conditions override what they need."""

    # Whether objects can own others. Events own nothing, and there are many, so the garbage collector ignores them.
    has_dependents = True
    # What happens to dependents if the client does not say it.
    default_propagation: Propagation = "Background"
    # Whether the response to a deletion is the object; otherwise it is a Status.
    answers_with_object = False

    def refusal(self, name: str) -> str:
        """Why the object of this name may never be deleted; empty if it may."""
        return ""

    def grace_s(self, obj: T, options: DeleteOptions, exists: Exists) -> int:
        """The grace period in seconds; 0: the object is removed at once unless it has finalizers."""
        return 0

    def waits(self, obj: T) -> bool:
        """Whether a deletion without finalizers and grace period must still wait, such as that of a full namespace."""
        return False

    def holds(self, obj: T) -> bool:
        """Whether something else than finalizers keeps an object that is already being deleted."""
        return self.waits(obj)

    def mark(self, obj: T) -> T:
        """Changes an object that begins to be deleted, besides its metadata."""
        return obj
