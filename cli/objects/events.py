"""`sampan events`: what happened, the newest last."""

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.exits import WrongUse
from cli.objects.listing import Listing, Style
from cli.objects.options import add_place
from cli.objects.references import Reference, reference
from cli.objects.targets import namespace_of, targets
from cli.options import add_output, open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.catalog import Catalog
    from client.rest import RestClient
    from client.tables import Row, Table


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "events", description="Show events, the newest last.")
    parser.add_argument("--for", dest="subject", type=reference, metavar="TYPE/NAME", help="only those about an object")
    parser.add_argument("-w", "--watch", action="store_true", help="then print each new event, until interrupted")
    add_place(parser)
    add_output(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from client.catalog import Catalog
    from client.tables import changes

    if options.watch and options.output == "json":
        raise WrongUse("--watch prints a table")
    with open_client(options) as client:
        catalog = Catalog(client)
        namespace = namespace_of(options, client)
        query = _query(catalog, options.subject, namespace)
        # Events about objects without a namespace are in `default`; kubectl looks for them in all.
        path = catalog.find("events.v1.").path("" if query and not _namespaced(catalog, options.subject) else namespace)
        table = event_table(client, path, query)
        if options.output == "json":
            print(json.dumps({"events": [row.object for row in table.rows]}, indent=2))
            return exits.OK
        listing = Listing(table, Style(namespaces=options.all_namespaces))
        print(listing.text() if table.rows or options.watch else "No events.")
        if options.watch:
            for kind, row in changes(client, path, table.resource_version, query):
                if kind != "DELETED":
                    print(listing.line(row), flush=True)
    return exits.OK


def event_table(client: "RestClient", path: str, query: dict[str, str]) -> "Table":
    """The server's table of events in the order of time; each row has its event."""
    from client.tables import fetch

    table = fetch(client, path, {**query, "includeObject": "Object"})
    return replace(table, rows=tuple(sorted(table.rows, key=_moment)))


def _moment(row: "Row") -> str:
    event = row.object
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )


def _query(catalog: "Catalog", subject: Reference | None, namespace: str) -> dict[str, str]:
    """By kind and name, so that events about an object that no longer exists are shown too."""
    if subject is None:
        return {}
    target = targets(catalog, [subject], namespace)[0]
    return {"fieldSelector": f"involvedObject.kind={target.resource.kind},involvedObject.name={target.names[0]}"}


def _namespaced(catalog: "Catalog", subject: Reference) -> bool:
    return catalog.find(subject.word).namespaced
