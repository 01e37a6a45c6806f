"""Namespace: a scope for names."""

from __future__ import annotations

from msgspec import field

from master.objects.meta import Model, Object, always
from master.objects.scalars import Time
from master.registry.resource import Resource


class NamespaceSpec(Model, frozen=True, kw_only=True):
    """`finalizers`: names of components that must finish their clean-up before a deleted namespace is removed."""

    finalizers: tuple[str, ...] = ()


class NamespaceCondition(Model, frozen=True, kw_only=True):
    """One aspect of the removal of the namespace's objects. `status` is True, False or Unknown."""

    type: str = always("")
    status: str = always("")
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class NamespaceStatus(Model, frozen=True, kw_only=True):
    """`phase` is Active, or Terminating while the objects of a deleted namespace are being removed."""

    phase: str = ""
    conditions: tuple[NamespaceCondition, ...] = ()


class Namespace(Object, frozen=True, kw_only=True):
    """A scope for names: objects in different namespaces may have the same name.

    Deleting a namespace deletes all objects in it.
    """

    spec: NamespaceSpec = field(default_factory=NamespaceSpec)
    status: NamespaceStatus = field(default_factory=NamespaceStatus)


NAMESPACE = Resource(
    kind="Namespace",
    plural="namespaces",
    model=Namespace,
    namespaced=False,
    short_names=("ns",),
    subresources=("status", "finalize"),
    fields={"status.phase": lambda ns: ns.status.phase},
    hot=True,
)
