"""Stored objects for the tests of the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from master.kinds import CONFIGMAP, POD
from master.registry.resource import Resource
from master.store.interface import Put


def body(
    kind: Resource[Any],
    name: str,
    namespace: str = "default",
    *,
    labels: Mapping[str, object] | None = None,
    owners: Sequence[str] = (),
    node: str = "",
    **fields: object,
) -> bytes:
    meta: dict[str, object] = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}"}
    if labels:
        meta["labels"] = labels
    if owners:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "X", "name": uid, "uid": uid} for uid in owners]
    spec = {"spec": {"nodeName": node}} if node else {}
    return msgspec.json.encode({"apiVersion": "v1", "kind": kind.kind, "metadata": meta, **spec, **fields})


def configmap(name: str, namespace: str = "default", **labels: str) -> Put:
    return Put(CONFIGMAP.key(namespace, name), body(CONFIGMAP, name, namespace, labels=labels))


def pod(name: str, namespace: str = "default", *, node: str = "", **labels: str) -> Put:
    return Put(POD.key(namespace, name), body(POD, name, namespace, labels=labels, node=node))
