"""`sampan explain`: the fields of a type, from the schemas that the server publishes."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.options import add_access, open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.catalog import Catalog
    from client.discovery import Resource
    from client.openapi import Field, Schemas
    from client.rest import Document

_INDENT = "  "
_WIDTH = 100


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "explain", description="Show the fields of a type, or of one of its fields.")
    parser.add_argument("type", metavar="TYPE[.FIELD…]", help="such as pod.spec.containers, or deployments.apps.spec")
    parser.add_argument("--recursive", action="store_true", help="the fields of the fields too, without descriptions")
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from client.catalog import Catalog
    from client.openapi import schemas

    with open_client(options) as client:
        resource, path = split(Catalog(client), options.type)
        published = schemas(client, resource)
    print("\n".join(explained(published, resource, path, recursive=options.recursive)))
    return exits.OK


def split(catalog: "Catalog", text: str) -> "tuple[Resource, list[str]]":
    """The resource, which may be written with version and group, and the names of the fields. Raises UnknownType."""
    from client.errors import UnknownType

    words = text.split(".")
    for end in range(len(words), 1, -1):
        try:
            return catalog.find(".".join(words[:end])), words[end:]
        except UnknownType:
            continue
    return catalog.find(words[0]), words[1:]


def explained(schemas: "Schemas", resource: "Resource", path: list[str], *, recursive: bool) -> Iterator[str]:
    """The lines about a kind, or about the field at the end of the path. Raises NoSchema."""
    schema = schemas.of(resource)
    yield f"{resource.kind} ({resource.api_version})"
    description = schema.get("description") or ""
    if path:
        field = schemas.field(schema, path)
        yield f"{'.'.join(path)}: {_type(field)}"
        schema, description = field.inner, field.description
    if description:
        yield from ("", *_wrapped(description, ""))
    lines = list(_fields(schemas, schema, recursive=recursive))
    if lines:
        yield from ("", "fields:", *(_INDENT + line if line else "" for line in lines))


def _fields(schemas: "Schemas", schema: "Document", *, recursive: bool, above: tuple[int, ...] = ()) -> Iterator[str]:
    """`above`: the schemas that contain this one. The fields of a schema that contains itself are shown once."""
    fields = list(schemas.fields(schema))
    width = max((len(field.name) for field in fields), default=0)
    for field in fields:
        yield f"{field.name:{width}}  {_type(field)}"
        if recursive and id(field.inner) not in (*above, id(schema)):
            inner = _fields(schemas, field.inner, recursive=True, above=(*above, id(schema)))
            yield from (_INDENT + line for line in inner)
        elif not recursive and field.description:
            yield from _wrapped(field.description, _INDENT)


def _type(field: "Field") -> str:
    choices = f": {', '.join(field.choices)}" if field.choices else ""
    return f"{field.type}{choices}{', required' if field.required else ''}"


def _wrapped(text: str, indent: str) -> list[str]:
    import textwrap

    paragraphs = (
        textwrap.wrap(line, _WIDTH, initial_indent=indent, subsequent_indent=indent) for line in text.splitlines()
    )
    return [line for lines in paragraphs for line in lines]
