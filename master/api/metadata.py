"""Object metadata on its way in: what the server sets, what a client may not change, and what is wrong with it."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from master.api.checks import Findings, dns_label, qualified_name
from master.api.errors import BadRequest, Conflict, Invalid
from master.api.strategies import Strategy
from master.objects.kind import KindSpec
from master.objects.meta import Object, ObjectMeta, timestamp

# Without vowels and look-alikes, as Kubernetes does: no words, no confusion.
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5


def generated(base: str) -> str:
    """A name with a random end."""
    return base[: 63 - _SUFFIX_LENGTH] + "".join(random.choices(_SUFFIX, k=_SUFFIX_LENGTH))


def place(kind: KindSpec[Any], obj: Object, namespace: str) -> str:
    """The namespace in which the object goes; BadRequest when path and body do not agree."""
    said = obj.metadata.namespace
    if not kind.namespaced:
        return ""
    if said and namespace and said != namespace:
        why = f"the namespace of the provided object ({said}) does not match the namespace of the request ({namespace})"
        raise BadRequest.at("metadata.namespace", why)
    if not (namespace or said):
        raise BadRequest("an empty namespace may not be set during creation")
    return namespace or said


def for_create(meta: ObjectMeta, namespace: str, now: datetime) -> ObjectMeta:
    """What the server sets on a new object."""
    return replace(
        meta,
        name=meta.name or (generated(meta.generate_name) if meta.generate_name else ""),
        namespace=namespace,
        self_link="",
        uid=str(uuid4()),
        resource_version="",
        generation=0,
        creation_timestamp=timestamp(now),
        deletion_timestamp="",
        deletion_grace_period_seconds=None,
        managed_fields=(),
    )


def for_update(kind: KindSpec[Any], new: ObjectMeta, old: ObjectMeta) -> ObjectMeta:
    """What a client may not change is as it was; Conflict when it means another object of the same name."""
    if new.uid and new.uid != old.uid:
        why = f"Precondition failed: UID in precondition: {new.uid}, UID in object meta: {old.uid}"
        raise Conflict.of(kind, old.name, why)
    return replace(
        new,
        name=old.name,
        generate_name=old.generate_name,
        namespace=old.namespace,
        self_link="",
        uid=old.uid,
        resource_version=old.resource_version,
        generation=old.generation,
        creation_timestamp=old.creation_timestamp,
        deletion_timestamp=old.deletion_timestamp,
        deletion_grace_period_seconds=old.deletion_grace_period_seconds,
        managed_fields=(),
    )


def check(kind: KindSpec[Any], strategy: Strategy[Any], meta: ObjectMeta, found: Findings) -> None:
    """What is wrong with names, labels, annotations, finalizers and owners."""
    if meta.generate_name:
        # A hyphen at its end, or a dot, is before something.
        found.form("metadata.generateName", meta.generate_name, strategy.name_form(f"{meta.generate_name[:58]}x"))
    if not meta.name:
        found.required("metadata.name", "name or generateName is required")
    elif "/" in meta.name or meta.name in (".", ".."):
        found.invalid("metadata.name", meta.name, "may not contain '/' and may not be '.' or '..'")
    else:
        found.form("metadata.name", meta.name, strategy.name_form(meta.name))
    if kind.namespaced:
        found.form("metadata.namespace", meta.namespace, dns_label(meta.namespace))
    found.labels("metadata.labels", meta.labels)
    found.annotations("metadata.annotations", meta.annotations)
    for name in meta.finalizers:
        found.form("metadata.finalizers", name, qualified_name(name))
    controllers = [reference for reference in meta.owner_references if reference.controller]
    if len(controllers) > 1:
        found.invalid(
            "metadata.ownerReferences", controllers[1].name, "only one reference can have controller set to true"
        )
    for index, reference in enumerate(meta.owner_references):
        for field, value in (
            ("apiVersion", reference.api_version),
            ("kind", reference.kind),
            ("name", reference.name),
            ("uid", reference.uid),
        ):
            if not value:
                found.required(f"metadata.ownerReferences[{index}].{field}")


def check_expected(kind: KindSpec[Any], name: str, version: str) -> None:
    """A resourceVersion that a client gives back is a number, or it was none of ours. Raises Invalid."""
    if version and not (version.isascii() and version.isdigit()):
        found = Findings()
        found.invalid("metadata.resourceVersion", version, "must be a version that the server gave")
        raise Invalid.of(kind, name, found.causes)


def check_update(new: ObjectMeta, old: ObjectMeta, found: Findings) -> None:
    """No new finalizer once an object is being deleted."""
    if old.deletion_timestamp:
        for name in new.finalizers:
            if name not in old.finalizers:
                found.forbidden(
                    "metadata.finalizers",
                    f"no new finalizers can be added if the object is being deleted, found new finalizers {[name]}",
                )
