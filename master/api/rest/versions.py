"""Bodies in any served version of a resource become objects in the stored version."""

from __future__ import annotations

from typing import Any

import msgspec

from master.api.errors import Invalid
from master.api.rest import bodies
from master.api.rest.bodies import Document
from master.api.rest.call import Call
from master.api.rest.routes import Route
from master.registry.resource import Version
from master.schema.checks import Findings


def read(call: Call, document: Document, old: Any = None) -> Any:
    """The object of a body, in the stored version. Raises BadRequest, Invalid.

    `old` is the stored object, in an update.
    """
    resource, version = call.route.resource, call.route.version
    obj = bodies.plain(document, version.schema) if version.schema is resource.schema else None
    if obj is not None and obj.kind in ("", resource.kind) and obj.api_version in ("", resource.api_version):
        return obj
    return of_value(call, document, document.value, old)


def of_value(call: Call, document: Document, value: Any, old: Any = None) -> Any:
    """The same for a JSON value, such as a patched object. `document` is the body that it came from."""
    resource = call.route.resource
    version = _version_of(call.route, value)
    name = resource.version_of(version)
    bodies.check_type(value, resource.kind, name)
    obj = bodies.typed(value, version.schema, call.query.field_validation, call.warnings, document)
    if name == resource.api_version:
        return obj
    if version.old:
        call.warnings.append(f"{name} {resource.kind} is an old version; it was converted to {resource.api_version}")
    converted = _converted(call.route, version, obj)
    check(version, converted, old)
    return converted


def check(version: Version, new: Any, old: Any) -> None:
    """Raises Invalid for an object that breaks the rules of the version in which it is written."""
    if version.check is None:
        return
    findings = Findings()
    version.check(new, old, findings)
    if findings:
        raise Invalid.of_kind(new.kind, new.metadata.name, findings.causes, group=version.group or "")


def _version_of(route: Route, value: Any) -> Version:
    """The version of a body: that of the path, unless the body is in another one that the path takes too."""
    given = value.get("apiVersion") if isinstance(value, dict) else None
    if not given or given == route.api_version:
        return route.version
    for version in route.resource.versions:
        taken = version.old or (route.stored and version.name == route.resource.version and version.group is None)
        if taken and route.resource.version_of(version) == given:
            return version
    return route.version


def _converted(route: Route, version: Version, obj: Any) -> Any:
    resource, schema = route.resource, version.schema
    # A conversion may rely on the rules of its version.
    obj = schema.default(obj)
    findings = Findings()
    schema.check(obj, findings)
    if findings:
        raise Invalid.of(resource, obj.metadata.name, findings.causes)
    value = version.to_stored(msgspec.json.decode(schema.encode(obj)))
    return resource.schema.read({**value, "apiVersion": resource.api_version, "kind": resource.kind}, [])
