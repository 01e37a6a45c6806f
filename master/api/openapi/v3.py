"""Version 3 of OpenAPI: one document for each version of a group, with the definitions that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from master.api.openapi.catalog import Catalog
from master.api.openapi.operations import Operation, Parameter, Path, paths_of
from master.api.openapi.schemas import V3, Schema, Schemas
from master.api.rest.release import GIT_VERSION

_JSON: Final = "application/json"


def documents(catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document of each version of each group, by path: `api/v1`, `apis/discovery.k8s.io/v1`."""
    schemas = Schemas(catalog, V3).all()
    references = {name: frozenset(_references(schema)) for name, schema in schemas.items()}
    paths: dict[str, list[Path]] = {}
    for resource, version in catalog.served:
        group = resource.group_of(version)
        group_version = f"apis/{group}/{version.name}" if group else f"api/{version.name}"
        paths.setdefault(group_version, []).extend(paths_of(catalog, resource, version))
    for group_version, found in paths.items():
        written = {path.path: _path(path) for path in sorted(found, key=lambda path: path.path)}
        needed = _closure(_references(written), references)
        yield (
            group_version,
            {
                "openapi": "3.0.0",
                "info": {"title": "Kubernetes", "version": GIT_VERSION},
                "paths": written,
                "components": {"schemas": {name: schemas[name] for name in sorted(needed)}},
            },
        )


def _references(value: Any) -> Iterator[str]:
    """The names of all definitions that a value refers to."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner.removeprefix(V3.prefix)
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _closure(names: Iterable[str], references: Mapping[str, frozenset[str]]) -> set[str]:
    """The names and all that these refer to."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references[name]
    return found


def _path(path: Path) -> Mapping[str, Any]:
    item: dict[str, Any] = {operation.verb.method: _operation(operation) for operation in path.operations}
    if path.parameters:
        item["parameters"] = [_parameter(parameter) for parameter in path.parameters]
    return item


def _operation(operation: Operation) -> Mapping[str, Any]:
    written: dict[str, Any] = {
        "tags": [operation.tag],
        "description": operation.description,
        "operationId": operation.id,
        "parameters": [_parameter(parameter) for parameter in operation.verb.parameters],
    }
    if operation.body:
        schema = V3.reference(operation.body)
        content = {"content": {media: {"schema": schema} for media in operation.media}}
        required = operation.verb.method != "delete"
        written["requestBody"] = {**content, "required": True} if required else content
    return {
        **written,
        "responses": _responses(operation),
        "x-kubernetes-action": operation.verb.action,
        "x-kubernetes-group-version-kind": operation.kind.document(),
    }


def _responses(operation: Operation) -> Mapping[str, Any]:
    schema = V3.reference(operation.response) if operation.response else {"type": "string"}
    content = {_JSON if operation.response else "text/plain": {"schema": schema}}
    codes: dict[str, Any] = {str(code): {"description": "OK", "content": content} for code in operation.verb.codes}
    return {**codes, "401": {"description": "Unauthorized"}}


def _parameter(parameter: Parameter) -> Schema:
    return parameter.document(schema={"type": parameter.type, "uniqueItems": True})
