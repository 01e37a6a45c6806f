"""`sampan delete`: delete objects by name, or those that manifests declare. kubectl can do more."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.exits import WrongUse
from cli.options import add_access, open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.discovery import Discovery

_CORE: Final = "v1"
_KIND: Final = re.compile(r"[A-Za-z]+")
_NAME: Final = re.compile(r"[^/%\s]+")
"""What every name of an object keeps to, as it is a segment of a path (Kubernetes: path segment names)."""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "delete", description="Delete objects by name, or those that manifests declare.")
    parser.add_argument("objects", nargs="*", metavar="KIND/NAME", type=_reference, help="node/node2, rc/web")
    parser.add_argument("-f", "--filename", type=Path, action="append", default=[], metavar="FILE", help="YAML or JSON")
    parser.add_argument("-n", "--namespace", default="", help="namespace of objects that name none")
    parser.add_argument("--ignore-not-found", action="store_true", help="do not fail for an object that does not exist")
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Tries every object: the others are deleted even if one is refused."""
    from client.discovery import Discovery
    from client.errors import NotFound, StatusError

    if not options.objects and not options.filename:
        raise WrongUse("delete what? Name objects as KIND/NAME, or manifests with -f FILE")
    code = exits.OK
    with open_client(options) as client:
        namespace = options.namespace or client.access.namespace
        # All names are resolved before the first object is deleted.
        for name, path in list(_paths(Discovery(client), options, namespace)):
            try:
                client.delete(path)
            except NotFound as error:
                if not options.ignore_not_found:
                    print(f"sampan: {error}", file=sys.stderr)
                    code = exits.FAILED
            except StatusError as error:
                print(f"sampan: {name}: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{name} deleted")
    return code


def _reference(text: str) -> tuple[str, str]:
    kind, _, name = text.partition("/")
    if not _KIND.fullmatch(kind) or not _NAME.fullmatch(name) or name in (".", ".."):
        raise argparse.ArgumentTypeError(f'"{text}" is not like node/node2')
    return kind, name


def _paths(discovery: "Discovery", options: argparse.Namespace, namespace: str) -> Iterator[tuple[str, str]]:
    """The name and the path of each object."""
    from client.errors import BadManifest
    from client.manifest import read

    for kind, name in options.objects:
        try:
            resource = discovery.called(_CORE, kind)
        except BadManifest as error:
            raise WrongUse(str(error)) from error
        yield f"{resource.kind.lower()}/{name}", resource.path(namespace, name)
    for manifest in (manifest for path in options.filename for manifest in read(path)):
        resource, meta = discovery.of(manifest.document), manifest.document["metadata"]
        name = meta.get("name")
        if not name:
            raise ValueError(f"{manifest.source}: the object has no metadata.name")
        yield f"{resource.kind.lower()}/{name}", resource.path(meta.get("namespace") or namespace, name)
