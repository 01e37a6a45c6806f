"""The schemas that the server publishes about its kinds (OpenAPI v3): the fields of an object and their types."""

from collections.abc import Iterator
from dataclasses import dataclass

from client.discovery import Resource
from client.errors import ClientError, NotFound
from client.rest import Document, RestClient

_PREFIX = "#/components/schemas/"
_KINDS = "x-kubernetes-group-version-kind"
_MAY_BE_TEXT = "x-kubernetes-int-or-string"


class NoSchema(ClientError):
    """The server describes no such kind or field."""


@dataclass(frozen=True, slots=True)
class Field:
    """`type` in words: `string`, `[]Container`, `map[string]string`. `inner`: what lists and maps consist of."""

    name: str
    type: str
    required: bool
    description: str
    inner: Document
    choices: tuple[str, ...] = ()


class Schemas:
    """The schemas of one version of a group."""

    def __init__(self, named: dict[str, Document]) -> None:
        self._named = named

    def of(self, resource: Resource) -> Document:
        """The schema of a kind. Raises NoSchema."""
        meant = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        for schema in self._named.values():
            if meant in (schema.get(_KINDS) or ()):
                return schema
        raise NoSchema(f"the server has no schema of {resource.kind} in {resource.api_version}")

    def fields(self, schema: Document) -> Iterator[Field]:
        """The fields of an object, in alphabetical order."""
        required = schema.get("required") or ()
        for name, given in sorted((schema.get("properties") or {}).items()):
            inner = self._innermost(given)
            yield Field(
                name,
                self._type(given),
                name in required,
                given.get("description") or inner.get("description") or "",
                inner,
                tuple(str(choice) for choice in given.get("enum") or ()),
            )

    def field(self, schema: Document, path: list[str]) -> Field:
        """The field at the end of a path, through lists and maps. Raises NoSchema."""
        *above, last = path
        for name in above:
            schema = self._named_field(schema, name).inner
        return self._named_field(schema, last)

    def _named_field(self, schema: Document, name: str) -> Field:
        for field in self.fields(schema):
            if field.name == name:
                return field
        names = ", ".join(field.name for field in self.fields(schema)) or "none"
        raise NoSchema(f'there is no field "{name}"; there are: {names}')

    def _resolved(self, schema: Document) -> Document:
        for reference in [schema, *(schema.get("allOf") or ())]:
            if name := reference.get("$ref"):
                return self._named[name.removeprefix(_PREFIX)]
        return schema

    def _innermost(self, schema: Document) -> Document:
        schema = self._resolved(schema)
        for within in ("items", "additionalProperties"):
            if isinstance(schema.get(within), dict):
                return self._innermost(schema[within])
        return schema

    def _type(self, schema: Document) -> str:
        named = [entry["$ref"] for entry in [schema, *(schema.get("allOf") or ())] if "$ref" in entry]
        resolved = self._resolved(schema)
        if isinstance(items := resolved.get("items"), dict):
            return f"[]{self._type(items)}"
        if isinstance(values := resolved.get("additionalProperties"), dict):
            return f"map[string]{self._type(values)}"
        if named and resolved.get("properties"):
            return str(named[0].rpartition(".")[2])
        kinds = [str(choice["type"]) for choice in resolved.get("oneOf") or () if "type" in choice]
        if resolved.get(_MAY_BE_TEXT) or resolved.get("format") == "int-or-string":
            kinds = ["integer", "string"]
        plain = " or ".join(kinds) or str(resolved.get("type") or "object")
        return f"{plain} ({resolved['format']})" if resolved.get("format") == "byte" else plain


def schemas(client: RestClient, resource: Resource) -> Schemas:
    """The schemas of the version of the resource. Raises NoSchema."""
    root = f"apis/{resource.api_version}" if resource.group else f"api/{resource.api_version}"
    try:
        entry = client.get("/openapi/v3")["paths"].get(root)
    except NotFound:
        entry = None
    if entry is None:
        raise NoSchema(f"the server has no schemas of {resource.api_version}")
    return Schemas(client.get(entry["serverRelativeURL"])["components"]["schemas"])
