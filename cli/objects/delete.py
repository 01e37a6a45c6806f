"""`sampan delete`: delete objects by name or selector, or those that manifests declare."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.exits import WrongUse
from cli.objects.options import add_place, add_references, add_selectors, selectors
from cli.objects.targets import namespace_of, selected, targets
from cli.options import open_client
from cli.parsing import add_command, count

if TYPE_CHECKING:
    from client.rest import RestClient


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "delete",
        description="Delete objects by name or selector, or those that manifests declare. The command does not wait "
        "for objects that need time to end.",
    )
    add_references(parser, nargs="*")
    parser.add_argument("-f", "--filename", type=Path, action="append", default=[], metavar="FILE", help="YAML or JSON")
    add_selectors(parser)
    parser.add_argument("--all", action="store_true", help="all objects of the type")
    parser.add_argument(
        "--cascade",
        choices=("background", "foreground", "orphan"),
        default="background",
        help="what the object owns is deleted after it, before it, or not at all; default: background",
    )
    parser.add_argument("--grace-period", type=count, metavar="SECONDS", help="how long pods may take to end")
    parser.add_argument(
        "--force", action="store_true", help="remove a pod at once, even if its containers may still run"
    )
    parser.add_argument("--ignore-not-found", action="store_true", help="do not fail for an object that does not exist")
    add_place(parser, everywhere=False)
    parser.set_defaults(run=_run, wrong=parser.error)


def _run(options: argparse.Namespace) -> int:
    """Tries every object: the others are deleted even if one is refused."""
    from client.errors import NotFound, StatusError

    _check(options)
    code = exits.OK
    with open_client(options) as client:
        # All names are resolved before the first object is deleted.
        paths = list(_paths(client, options))
        if not paths:
            print("No objects found.", file=sys.stderr)
        for title, path in paths:
            try:
                client.delete(
                    path,
                    grace_period_s=0 if options.force else options.grace_period,
                    propagation=options.cascade.capitalize(),
                )
            except NotFound as error:
                if not options.ignore_not_found:
                    print(f"sampan: {error}", file=sys.stderr)
                    code = exits.FAILED
            except StatusError as error:
                print(f"sampan: {title}: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{title} deleted")
    return code


def _check(options: argparse.Namespace) -> None:
    """A type alone does not mean all of its objects."""
    by_selector = bool(options.all or selectors(options))
    named = [bool(reference.names) for reference in options.objects]
    if not named and not options.filename:
        raise WrongUse("delete what? Name objects as TYPE/NAME, or manifests with -f FILE")
    if by_selector and (any(named) or not named):
        options.wrong("--all and selectors choose objects of a type that is given without names")
    if not by_selector and not all(named):
        options.wrong("name the objects as in node/node2, or choose them with a selector or --all")
    if options.force and options.grace_period:
        options.wrong("--force means a grace period of 0")


def _paths(client: "RestClient", options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The title and the path of each object."""
    from client.catalog import Catalog
    from client.discovery import Discovery
    from client.errors import UnknownType
    from client.manifest import read

    try:
        found = targets(Catalog(client), options.objects, namespace_of(options, client)) if options.objects else []
    except UnknownType as error:
        raise WrongUse(str(error)) from error
    for target in selected(client, found, selectors(options)):
        yield target.title(target.name), target.path(target.name)
    discovery = Discovery(client)
    for manifest in (manifest for path in options.filename for manifest in read(path)):
        resource, meta = discovery.of(manifest.document), manifest.document["metadata"]
        name = meta.get("name")
        if not name:
            raise ValueError(f"{manifest.source}: the object has no metadata.name")
        namespace = meta.get("namespace") or namespace_of(options, client)
        yield f"{resource.title}/{name}", resource.path(namespace, name)
