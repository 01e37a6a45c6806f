"""Namespace: a room for names."""

from __future__ import annotations

from msgspec import field

from master.objects.kind import KindSpec
from master.objects.meta import Model, Object, always
from master.objects.scalars import Time


class NamespaceSpec(Model, frozen=True, kw_only=True):
    """Who has still something to clear away before the namespace may go."""

    finalizers: tuple[str, ...] = ()


class NamespaceCondition(Model, frozen=True, kw_only=True):
    """One condition of the emptying."""

    type: str = always("")
    status: str = always("")
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class NamespaceStatus(Model, frozen=True, kw_only=True):
    """Active, or Terminating while it is being emptied."""

    phase: str = ""
    conditions: tuple[NamespaceCondition, ...] = ()


class Namespace(Object, frozen=True, kw_only=True):
    """A room for names."""

    spec: NamespaceSpec = field(default_factory=NamespaceSpec)
    status: NamespaceStatus = field(default_factory=NamespaceStatus)


NAMESPACE = KindSpec(
    kind="Namespace",
    plural="namespaces",
    model=Namespace,
    namespaced=False,
    short_names=("ns",),
    subresources=("status", "finalize"),
    fields={"status.phase": lambda ns: ns.status.phase},
)
