"""Namespace: a scope for names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import field
from msgspec.structs import replace

from master.objects.meta import Model, Object, always
from master.objects.scalars import Time
from master.registry.deletion import DeletionPolicy
from master.registry.resource import ALL_VERBS, Resource
from master.registry.strategy import Strategy, keep_status
from master.registry.subresource import STATUS, Part
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.names import dns_label
from master.schema.schema import Typed


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


# Namespaces that the cluster needs, and that therefore cannot be deleted.
IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
NAMESPACE_FINALIZER = "kubernetes"
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(Strategy[Namespace]):
    """A new namespace is Active. The finalizer `kubernetes` in its spec keeps it until it is empty."""

    def name_form(self, name: str) -> str:
        return dns_label(name)

    def default(self, obj: Namespace) -> Namespace:
        labels = {**obj.metadata.labels, NAMESPACE_NAME_LABEL: obj.metadata.name}
        return replace(obj, metadata=replace(obj.metadata, labels=labels))

    def for_create(self, obj: Namespace, now: datetime) -> Namespace:
        finalizers = obj.spec.finalizers
        if NAMESPACE_FINALIZER not in finalizers:
            finalizers = (*finalizers, NAMESPACE_FINALIZER)
        return replace(obj, spec=NamespaceSpec(finalizers=finalizers), status=NamespaceStatus(phase="Active"))

    def for_update(self, new: Namespace, old: Namespace, now: datetime) -> Namespace:
        return replace(keep_status(new, old), spec=old.spec)


class NamespaceDeletion(DeletionPolicy[Namespace]):
    """A namespace is held by `spec.finalizers` until it is empty. Those that the cluster needs cannot be deleted."""

    answers_with_object = True

    def refusal(self, name: str) -> str:
        return "this namespace may not be deleted" if name in IMMORTAL else ""

    def waits(self, obj: Namespace) -> bool:
        return bool(obj.spec.finalizers)

    def mark(self, obj: Namespace) -> Namespace:
        return replace(obj, status=replace(obj.status, phase="Terminating"))


def _cells(namespace: Namespace, now: datetime) -> Sequence[Cell]:
    meta = namespace.metadata
    return meta.name, namespace.status.phase, age(meta.creation_timestamp, now)


NAMESPACE = Resource(
    kind="Namespace",
    plural="namespaces",
    schema=Typed(Namespace),
    namespaced=False,
    short_names=("ns",),
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    subresources=(
        STATUS,
        Part("finalize", take=lambda new, old: replace(old, spec=new.spec), attribute="spec", verbs=("update",)),
    ),
    strategy=NamespaceStrategy(),
    deletion=NamespaceDeletion(),
    table=Table((NAME, Column("Status", description="Active or Terminating."), AGE), _cells),
    fields={"status.phase": lambda namespace: namespace.status.phase},
    hot=True,
)
