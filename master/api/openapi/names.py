"""Names of definitions: what Kubernetes' clients call the types of its API, and ours in the same manner."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_FACT: Final = re.compile(r"(?P<package>[a-z]+)\.(?P<version>v\d+(?:(?:alpha|beta)\d+)?)\.(?P<name>[A-Z]\w*)")
# The packages of types that are not in `io.k8s.api`.
_ROOTS: Final = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
    "metrics": "io.k8s.metrics.pkg.apis.metrics",
}
META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
TIME: Final = f"{META}.Time"
MICRO_TIME: Final = f"{META}.MicroTime"
FIELDS: Final = f"{META}.FieldsV1"
PATCH: Final = f"{META}.Patch"
QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
RAW_EXTENSION: Final = "io.k8s.apimachinery.pkg.runtime.RawExtension"
INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


class Scope(NamedTuple):
    """The group and version in whose resources a type was found. Types of our own are named after it."""

    group: str
    version: str


def definition_name(type_name: str, scope: Scope, facts: frozenset[str]) -> str:
    """The name of a type's definition; empty for a type that is a part of another one and has no name of its own.

    `type_name`: as the facts have it (`core.v1.Pod`), or the name of a model or of a custom resource's kind. `facts`:
    the names of all types of the facts. All kinds share those of `meta.v1`, such as ObjectMeta.
    """
    if type_name == "runtime.RawExtension":
        return RAW_EXTENSION
    fact = _FACT.fullmatch(type_name)
    if fact is not None:
        root = _ROOTS.get(fact["package"], f"io.k8s.api.{fact['package']}")
        return f"{root}.{fact['version']}.{fact['name']}"
    if "." in type_name:
        return ""
    if f"meta.v1.{type_name}" in facts:
        return f"{META}.{type_name}"
    parents = reversed(scope.group.split(".")) if scope.group else ("io", "k8s", "api", "core")
    return ".".join([*parents, scope.version, type_name])


def operation_group(group: str) -> str:
    """A group as it is in operation ids: `Core`, `RbacAuthorization` (of Kubernetes), `ExampleOrg` (of others)."""
    parts = group.removesuffix(".k8s.io").split(".") if group else ["core"]
    return "".join(part[:1].upper() + part[1:] for part in "-".join(parts).split("-"))


def tag(group: str, version: str) -> str:
    """The tag of a version's operations: `core_v1`."""
    name = operation_group(group)
    return f"{name[:1].lower()}{name[1:]}_{version}"
