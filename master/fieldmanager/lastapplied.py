"""The annotation of client-side apply, for objects that kubectl goes on to apply by the server.

kubectl wrote the configuration that it had applied into an annotation, and its changes belong to another manager, which
updates. So the first server-side apply by kubectl would conflict with itself. It may take the fields that still have
the values of the annotation; and as long as the annotation is there, it is kept up to date for older versions of
kubectl. Both hold for the manager `kubectl` only, as in Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from master.fieldmanager.elements import escaped
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.forms import Form
from master.fieldmanager.shapes import BadItem

MANAGER: Final = "kubectl"
ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
# Kubernetes' limit of all annotations of an object, in bytes.
_MAX_BYTES: Final = 256 << 10
_encode = msgspec.json.Encoder(order="sorted").encode


def allowed(form: Form, api_version: str, live: dict[str, Any]) -> FieldSet:
    """The fields that have the values of the annotation. Empty without an annotation that can be read."""
    text = _annotations(live).get(ANNOTATION)
    try:
        last = msgspec.json.decode(text) if isinstance(text, str) else None
        if not isinstance(last, dict) or last.get("apiVersion") != api_version:
            return EMPTY
        difference = form.compare(last, live)
        return FieldSet(form.shape.named(last, unique=True) or {}) - difference.set - difference.removed
    except (ValueError, BadItem, AttributeError, TypeError, RecursionError):
        # The text is a client's: it can have any types and any depth.
        return EMPTY


def renewed(value: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The value with the configuration in its annotation, if it has one. A text that is too large is left out."""
    annotations = _annotations(value)
    if not annotations.get(ANNOTATION):
        return value
    text = escaped(_encode(_without_annotation(config)).decode()) + "\n"
    kept = {name: each for name, each in annotations.items() if name != ANNOTATION}
    if sum(len(f"{name}{each}".encode()) for name, each in {**kept, ANNOTATION: text}.items()) <= _MAX_BYTES:
        kept[ANNOTATION] = text
    return {**value, "metadata": {**value["metadata"], "annotations": kept}}


def _annotations(value: dict[str, Any]) -> dict[str, Any]:
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) else {}


def _without_annotation(config: dict[str, Any]) -> dict[str, Any]:
    annotations = _annotations(config)
    if ANNOTATION not in annotations:
        return config
    kept = {name: each for name, each in annotations.items() if name != ANNOTATION}
    return {**config, "metadata": {**config["metadata"], "annotations": kept}}
