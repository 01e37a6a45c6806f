"""`sampan get`: list objects, or print them."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.exits import WrongUse
from cli.objects.documents import Documents, is_document
from cli.objects.listing import Listing, Style
from cli.objects.options import add_place, add_references, add_selectors, selectors
from cli.objects.targets import Target, namespace_of, targets
from cli.options import open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.rest import RestClient
    from client.tables import Table


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "get", description="List objects of any type that the server has, or print them.")
    add_references(parser)
    parser.add_argument(
        "-o", "--output", choices=("table", "wide", "name", "yaml", "json"), default="table", help="default: table"
    )
    parser.add_argument("-w", "--watch", action="store_true", help="then print each change, until interrupted")
    add_selectors(parser)
    parser.add_argument("--show-labels", action="store_true", help="a column with the labels")
    parser.add_argument("--show-managed-fields", action="store_true", help="in yaml and json, keep managedFields")
    parser.add_argument("--ignore-not-found", action="store_true", help="do not fail for an object that does not exist")
    add_place(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from client.catalog import Catalog

    with open_client(options) as client:
        found = targets(Catalog(client), options.objects, namespace_of(options, client))
        if any(target.names and target.resource.namespaced and not target.namespace for target in found):
            raise WrongUse("an object with a name is in one namespace: leave --all-namespaces out")
        if any(target.names for target in found) and selectors(options):
            raise WrongUse("objects are chosen by name or by a selector, not by both")
        for target in found:
            if not target.names and "list" not in target.resource.verbs:
                raise WrongUse(f"objects of type {target.resource.plural} cannot be listed")
        if options.watch and (len(found) != 1 or len(found[0].names) > 1):
            raise WrongUse("--watch follows one type, or one object")
        if is_document(options.output):
            return Documents(client, options).print(found)
        return _print_tables(client, options, found)


def _print_tables(client: "RestClient", options: argparse.Namespace, found: list[Target]) -> int:
    """A table for each type. Several of them have the type before each name."""
    code, blocks = exits.OK, 0
    for target in found:
        table, problems = _fetch(client, options, target)
        for problem in problems:
            print(f"sampan: {problem}", file=sys.stderr)
            code = exits.FAILED
        if not table.rows and not options.watch:
            continue
        blocks += 1
        prefix = target.title("") if len(found) > 1 else ""
        namespaces = options.all_namespaces and target.resource.namespaced
        style = Style(options.output == "wide", namespaces, options.show_labels, prefix)
        _print(client, options, target, table, Listing(table, style), first=blocks == 1)
    if not blocks and code == exits.OK and not options.ignore_not_found:
        print("No objects found.", file=sys.stderr)
    return code


def _fetch(client: "RestClient", options: argparse.Namespace, target: Target) -> "tuple[Table, list[str]]":
    """The table of a target, and what is wrong with single names."""
    from client.errors import NotFound
    from client.tables import Table, fetch

    if not target.names:
        return fetch(client, target.collection, selectors(options)), []
    tables, problems = [], []
    for name in target.names:
        try:
            tables.append(fetch(client, target.path(name)))
        except NotFound as error:
            if not options.ignore_not_found:
                problems.append(str(error))
    if not tables:
        return Table((), ()), problems
    rows = tuple(row for table in tables for row in table.rows)
    return Table(tables[0].columns, rows, tables[0].resource_version), problems


def _print(
    client: "RestClient", options: argparse.Namespace, target: Target, table: "Table", listing: Listing, *, first: bool
) -> None:
    named = options.output == "name"
    if named:
        for row in table.rows:
            print(target.title(row.object["metadata"]["name"]))
    elif table.columns:
        print(listing.text() if first else f"\n{listing.text()}")
    if options.watch and table.columns:
        _follow(client, options, target, table, listing)


def _follow(
    client: "RestClient", options: argparse.Namespace, target: Target, table: "Table", listing: Listing
) -> None:
    from client.tables import changes

    query = {"fieldSelector": f"metadata.name={target.names[0]}"} if target.names else selectors(options)
    for _, row in changes(client, target.collection, table.resource_version, query):
        name = target.title(row.object["metadata"]["name"])
        print(name if options.output == "name" else listing.line(row), flush=True)
