"""Metadata of objects in requests: sets the server's fields, keeps immutable fields, validates."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from master.api.errors import BadRequest, Conflict, Invalid
from master.objects.meta import Object, ObjectMeta, timestamp
from master.registry.resource import Resource
from master.registry.strategy import Strategy
from master.schema.cause import Cause
from master.schema.checks import Findings
from master.schema.names import dns_label, qualified_name

# As in Kubernetes: no vowels, so that no words appear, and no characters that look alike.
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5


def generated(base: str) -> str:
    """A name from `generateName`: the base and a random suffix."""
    return base[: 63 - _SUFFIX_LENGTH] + "".join(random.choices(_SUFFIX, k=_SUFFIX_LENGTH))


def _random_bytes() -> Iterator[bytes]:
    """Random bytes for uids. They are read from the kernel in larger pieces, as each system call costs more."""
    while True:
        pool = os.urandom(16 * 256)
        for begin in range(0, len(pool), 16):
            yield pool[begin : begin + 16]


_random = _random_bytes()


def new_uid() -> str:
    """A random UUID (RFC 4122, version 4)."""
    text = next(_random).hex()
    # The version is the 13th digit. The 17th has the variant in its upper two bits.
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def place(kind: Resource[Any], obj: Object, namespace: str) -> str:
    """The namespace of a new object. Raises BadRequest if path and body have different ones, or none."""
    own = obj.metadata.namespace
    if not kind.namespaced:
        return ""
    if own and namespace and own != namespace:
        why = f"the namespace of the provided object ({own}) does not match the namespace of the request ({namespace})"
        raise BadRequest.at("metadata.namespace", why)
    if not (namespace or own):
        raise BadRequest("an empty namespace may not be set during creation")
    return namespace or own


def for_create(meta: ObjectMeta, namespace: str, now: datetime, *, generation: int) -> ObjectMeta:
    """The metadata of a new object: name, uid, creation time and the other fields that the server sets."""
    return replace(
        meta,
        name=meta.name or (generated(meta.generate_name) if meta.generate_name else ""),
        namespace=namespace,
        self_link="",
        uid=new_uid(),
        resource_version="",
        generation=generation,
        creation_timestamp=timestamp(now),
        deletion_timestamp="",
        deletion_grace_period_seconds=None,
    )


def for_update(kind: Resource[Any], new: ObjectMeta, old: ObjectMeta) -> ObjectMeta:
    """The new metadata with the immutable fields of the old one. Raises Conflict if the uid is another object's.

    The managedFields stay those of the new one.
    """
    check_uid(kind, new, old)
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
    )


def for_part(new: ObjectMeta, old: ObjectMeta, fields: tuple[str, ...]) -> ObjectMeta:
    """The old metadata with these fields (attributes) of the new one; itself if they are equal."""
    if new is old:
        return old
    changes = {name: getattr(new, name) for name in fields if getattr(new, name) != getattr(old, name)}
    return replace(old, **changes) if changes else old


def check_uid(kind: Resource[Any], new: ObjectMeta, old: ObjectMeta) -> None:
    """Raises Conflict if the new metadata has the uid of another object."""
    if new.uid and new.uid != old.uid:
        why = f"Precondition failed: UID in precondition: {new.uid}, UID in object meta: {old.uid}"
        raise Conflict.of(kind, old.name, why)


def check_no_version(kind: Resource[Any], obj: Object) -> None:
    """Raises Invalid if a new object has a resourceVersion. As in Kubernetes, "0" is none."""
    if obj.metadata.resource_version not in ("", "0"):
        why = "resourceVersion should not be set on objects to be created"
        raise Invalid.of(kind, obj.metadata.name, [Cause("FieldValueForbidden", why, "metadata.resourceVersion")])


def check(kind: Resource[Any], strategy: Strategy[Any], meta: ObjectMeta, findings: Findings) -> None:
    """Checks names, labels, annotations, finalizers and owners."""
    if meta.generate_name:
        # A hyphen or a dot at its end is allowed, because the suffix follows.
        findings.form("metadata.generateName", meta.generate_name, strategy.name_form(f"{meta.generate_name[:58]}x"))
    if not meta.name:
        findings.required("metadata.name", "name or generateName is required")
    elif "/" in meta.name or meta.name in (".", ".."):
        findings.invalid("metadata.name", meta.name, "may not contain '/' and may not be '.' or '..'")
    else:
        findings.form("metadata.name", meta.name, strategy.name_form(meta.name))
    if kind.namespaced:
        findings.form("metadata.namespace", meta.namespace, dns_label(meta.namespace))
    findings.labels("metadata.labels", meta.labels)
    findings.annotations("metadata.annotations", meta.annotations)
    for name in meta.finalizers:
        findings.form("metadata.finalizers", name, qualified_name(name))
    controllers = [reference for reference in meta.owner_references if reference.controller]
    if len(controllers) > 1:
        findings.invalid(
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
                findings.required(f"metadata.ownerReferences[{index}].{field}")


def expected(kind: Resource[Any], name: str, version: str) -> str:
    """The version that a client expects an object to have; empty for any, which "0" means as well.

    Raises Invalid for a version that is not a number, as the server's are.
    """
    if version and not (version.isascii() and version.isdigit()):
        findings = Findings()
        findings.invalid("metadata.resourceVersion", version, "must be a version from the server")
        raise Invalid.of(kind, name, findings.causes)
    return "" if version == "0" else version


def check_update(new: ObjectMeta, old: ObjectMeta, findings: Findings) -> None:
    """An object that is being deleted must not get new finalizers."""
    if old.deletion_timestamp:
        for name in new.finalizers:
            if name not in old.finalizers:
                findings.forbidden(
                    "metadata.finalizers",
                    f"no new finalizers can be added if the object is being deleted, found new finalizers {[name]}",
                )
