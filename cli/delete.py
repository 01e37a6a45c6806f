"""`sampan delete`: delete one object, or what manifests declare; kubectl does more."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.options import add_access, open_client

if TYPE_CHECKING:
    from client.discovery import Discovery

_CORE: Final = "v1"


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("delete", help="delete objects: KIND/NAME, or what manifests declare")
    parser.add_argument("objects", nargs="*", metavar="KIND/NAME", help="node/node2, rc/web")
    parser.add_argument("-f", "--filename", type=Path, action="append", default=[], metavar="FILE", help="YAML or JSON")
    parser.add_argument("-n", "--namespace", default="", help="for objects that name none")
    parser.add_argument("--ignore-not-found", action="store_true", help="what is gone already is no failure")
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Every object is tried: one that is refused does not keep the others."""
    from client.discovery import Discovery
    from client.errors import NotFound, StatusError

    if not options.objects and not options.filename:
        raise ValueError("which objects? KIND/NAME, or -f FILE")
    code = exits.OK
    with open_client(options) as client:
        namespace = options.namespace or client.access.namespace
        # All are understood before the first one goes.
        for called, path in list(_paths(Discovery(client), options, namespace)):
            try:
                client.delete(path)
            except NotFound as error:
                if not options.ignore_not_found:
                    print(f"sampan: {error}", file=sys.stderr)
                    code = exits.NOT_FOUND
            except StatusError as error:
                print(f"sampan: {called}: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{called} deleted")
    return code


def _paths(discovery: "Discovery", options: argparse.Namespace, namespace: str) -> Iterator[tuple[str, str]]:
    """What each object is called, and its path."""
    from client.manifest import read

    for text in options.objects:
        word, slash, name = text.partition("/")
        if not word or not slash or not name:
            raise ValueError(f'"{text}" is not like node/node2')
        resource = discovery.called(_CORE, word)
        yield f"{resource.kind.lower()}/{name}", resource.path(namespace, name)
    for manifest in (each for path in options.filename for each in read(path)):
        resource, meta = discovery.of(manifest.document), manifest.document["metadata"]
        name = meta.get("name")
        if not name:
            raise ValueError(f"{manifest.source}: an object without metadata.name")
        yield f"{resource.kind.lower()}/{name}", resource.path(meta.get("namespace") or namespace, name)
