"""Prints objects as YAML or JSON, as manifests have them."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli import exits
from cli.objects.options import selectors
from cli.objects.targets import Target

if TYPE_CHECKING:
    from client.rest import Document, RestClient


def is_document(output: str) -> bool:
    return output in ("yaml", "json")


class Documents:
    """The output of one `get -o yaml` or `-o json`: an object, a List of objects, or a stream of them."""

    def __init__(self, client: "RestClient", options: argparse.Namespace) -> None:
        self._client = client
        self._options = options
        self._code = exits.OK

    def print(self, targets: list[Target]) -> int:
        """Returns the exit code: 1 if a name does not exist."""
        items = [item for target in targets for item in self._of(target)]
        single = len(targets) == 1 and len(targets[0].names) == 1
        if self._options.watch:
            self._follow(targets[0], items)
        elif not single:
            self._write({"apiVersion": "v1", "kind": "List", "items": items})
        elif items:
            self._write(items[0])
        return self._code

    def _of(self, target: Target) -> "Iterator[Document]":
        from client.errors import NotFound

        if not target.names:
            listed = self._client.get(target.collection, selectors(self._options))
            self._version = str(listed["metadata"].get("resourceVersion") or "")
            yield from (self._complete(target, item) for item in listed["items"])
        for name in target.names:
            try:
                found = self._client.get(target.path(name))
            except NotFound as error:
                if not self._options.ignore_not_found:
                    print(f"sampan: {error}", file=sys.stderr)
                    self._code = exits.FAILED
            else:
                self._version = str(found["metadata"].get("resourceVersion") or "")
                yield self._complete(target, found)

    def _follow(self, target: Target, items: "list[Document]") -> None:
        from client.following import follow

        for item in items:
            self._write(item)
        query = {"fieldSelector": f"metadata.name={target.names[0]}"} if target.names else selectors(self._options)
        if self._code != exits.OK:
            return
        for event in follow(self._client, target.collection, self._version, query):
            self._write(self._complete(target, event.object))

    def _complete(self, target: Target, item: "Document") -> "Document":
        """The items of a list do not name their kind."""
        if not self._options.show_managed_fields:
            item["metadata"].pop("managedFields", None)
        return {"apiVersion": target.resource.api_version, "kind": target.resource.kind, **item}

    def _write(self, document: "Document") -> None:
        from client.yamlwriting import dump

        if self._options.output == "json":
            print(json.dumps(document, indent=4, ensure_ascii=False), flush=True)
        else:
            print(f"---\n{dump(document)}" if self._options.watch else dump(document), end="", flush=True)
