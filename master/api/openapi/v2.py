"""Version 2 of OpenAPI: one document of everything, for older clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from master.api.openapi.catalog import Catalog
from master.api.openapi.operations import Operation, Parameter, Path, paths_of
from master.api.openapi.schemas import V2, Schema, Schemas
from master.api.rest.release import GIT_VERSION

# Clients look for these by name in an operation, and follow no references.
_IN_PLACE: Final = ("dryRun", "fieldValidation")
_JSON: Final = ["application/json"]


def document(catalog: Catalog) -> dict[str, Any]:
    """The document of a catalogue."""
    shared: dict[str, Schema] = {}
    paths = {
        path.path: _path(path, shared)
        for resource, version in catalog.served
        for path in paths_of(catalog, resource, version)
    }
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
        "paths": dict(sorted(paths.items())),
        "definitions": {name: _without_nulls(schema) for name, schema in Schemas(catalog, V2).all().items()},
        "parameters": dict(sorted(shared.items())),
    }


def _without_nulls(schema: Schema) -> Schema:
    """A schema without `nullable`, which version 2 does not have."""

    def walk(value: Any, *, named: bool) -> Any:
        if isinstance(value, list):
            return [walk(item, named=False) for item in value]
        if not isinstance(value, dict):
            return value
        kept = {key: inner for key, inner in value.items() if named or key != "nullable"}
        return {key: walk(inner, named=not named and key == "properties") for key, inner in kept.items()}

    walked: Schema = walk(schema, named=False)
    return walked


def _path(path: Path, shared: dict[str, Schema]) -> Mapping[str, Any]:
    item: dict[str, Any] = {operation.verb.method: _operation(operation, shared) for operation in path.operations}
    if path.parameters:
        item["parameters"] = [_parameter(parameter, shared) for parameter in path.parameters]
    return item


def _operation(operation: Operation, shared: dict[str, Schema]) -> Mapping[str, Any]:
    parameters = [_parameter(parameter, shared) for parameter in operation.verb.parameters]
    if operation.body:
        required = operation.verb.method != "delete"
        body = {"in": "body", "name": "body", "schema": V2.reference(operation.body)}
        parameters.insert(0, {**body, "required": True} if required else body)
    schema = V2.reference(operation.response) if operation.response else {"type": "string"}
    responses: dict[str, Any] = {str(code): {"description": "OK", "schema": schema} for code in operation.verb.codes}
    return {
        "tags": [operation.tag],
        "description": operation.description,
        "operationId": operation.id,
        "consumes": list(operation.media),
        "produces": _JSON if operation.response else ["text/plain"],
        "schemes": ["https"],
        "parameters": parameters,
        "responses": {**responses, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": operation.verb.action,
        "x-kubernetes-group-version-kind": operation.kind.document(),
    }


def _parameter(parameter: Parameter, shared: dict[str, Schema]) -> Schema:
    """A reference to the parameter, which is added to the shared ones; or the parameter itself."""
    written = parameter.document(type=parameter.type, uniqueItems=True)
    if parameter.name in _IN_PLACE:
        return written
    shared[parameter.name] = written
    return {"$ref": f"#/parameters/{parameter.name}"}
