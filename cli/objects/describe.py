"""`sampan describe`: everything about single objects, and their events."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.exits import WrongUse
from cli.objects.description import described, utc_now
from cli.objects.events import event_table
from cli.objects.listing import Listing, Style
from cli.objects.options import add_place, add_references, add_selectors, selectors
from cli.objects.targets import Target, namespace_of, selected, targets
from cli.options import open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.catalog import Catalog
    from client.rest import Document, RestClient

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""A copy of the object, as kubectl keeps it."""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "describe",
        description="Show all fields of objects, and their events. Binary values, such as those of a secret, are "
        "shown by their size.",
    )
    add_references(parser)
    add_selectors(parser, fields=False)
    add_place(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from client.catalog import Catalog
    from client.errors import NotFound

    code, first = exits.OK, True
    with open_client(options) as client:
        catalog = Catalog(client)
        found = targets(catalog, options.objects, namespace_of(options, client))
        if any(target.names for target in found) and (options.selector or options.all_namespaces):
            raise WrongUse("objects are chosen by name, or by --selector and --all-namespaces")
        descriptions = _Descriptions(client, catalog)
        for target in selected(client, found, selectors(options)):
            try:
                text = descriptions.text(target)
            except NotFound as error:
                print(f"sampan: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(text if first else f"\n\n{text}")
                first = False
    if first and code == exits.OK:
        print("No objects found.", file=sys.stderr)
    return code


class _Descriptions:
    """Makes the text of objects. The schemas of each version are requested once."""

    def __init__(self, client: "RestClient", catalog: "Catalog") -> None:
        self._client = client
        self._events = catalog.find("events.v1.")
        self._binary: dict[tuple[str, str], frozenset[str]] = {}

    def text(self, target: Target) -> str:
        """Raises NotFound."""
        document = self._client.get(target.path(target.name))
        metadata = document["metadata"]
        fields = {name: value for name, value in document.items() if name not in ("kind", "apiVersion", "metadata")}
        for name in self._binary_fields(target) & fields.keys():
            fields[name] = _sizes(fields[name])
        head = f"{target.resource.kind} {metadata['name']} ({target.resource.api_version})"
        lines = [head, *described({**_metadata(metadata), **fields}, utc_now())]
        return "\n".join([*lines, *self._events_of(target, metadata["uid"])])

    def _events_of(self, target: Target, uid: str) -> list[str]:
        path = self._events.path(target.namespace)
        table = event_table(self._client, path, {"fieldSelector": f"involvedObject.uid={uid}"})
        if not table.rows:
            return ["events: <none>"]
        return ["events:", *(f"  {line}" for line in Listing(table, Style()).text().splitlines())]

    def _binary_fields(self, target: Target) -> frozenset[str]:
        """The fields of an object that hold bytes, or a map or list of them."""
        from client.openapi import NoSchema, schemas

        resource = target.resource
        key = resource.api_version, resource.kind
        if key not in self._binary:
            try:
                published = schemas(self._client, resource)
                fields = published.fields(published.of(resource))
                self._binary[key] = frozenset(field.name for field in fields if field.inner.get("format") == "byte")
            except NoSchema:
                self._binary[key] = frozenset()
        return self._binary[key]


def _metadata(metadata: "Document") -> "Document":
    """Without the name, which stands above, and the bookkeeping of managers."""
    result = {name: value for name, value in metadata.items() if name not in ("name", "managedFields")}
    if annotations := result.get("annotations"):
        result["annotations"] = {name: text for name, text in annotations.items() if name != _LAST_APPLIED}
    return result


def _sizes(value: Any) -> Any:
    """Base64 texts, or maps and lists of them, by the number of their bytes."""
    if isinstance(value, dict):
        return {name: _sizes(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_sizes(inner) for inner in value]
    size = len(value) * 3 // 4 - value.count("=")
    return f"{size} byte{'' if size == 1 else 's'}"
