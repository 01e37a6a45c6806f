"""`sampan scale`: set the number of replicas of any object that has the subresource `scale`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.exits import WrongUse
from cli.objects.options import add_place, add_references, add_selectors, selectors
from cli.objects.targets import Target, namespace_of, selected, targets
from cli.options import open_client
from cli.parsing import add_command, count

if TYPE_CHECKING:
    from client.rest import RestClient


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "scale")
    add_references(parser)
    parser.add_argument("--replicas", type=count, required=True, metavar="N", help="how many there shall be")
    parser.add_argument(
        "--current-replicas", type=count, metavar="N", help="only if so many are wanted now; else the exit code is 1"
    )
    add_selectors(parser, fields=False)
    add_place(parser, everywhere=False)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Tries every object: the others are scaled even if one is refused."""
    from client.catalog import Catalog
    from client.errors import StatusError

    code = exits.OK
    with open_client(options) as client:
        found = targets(Catalog(client), options.objects, namespace_of(options, client))
        if any(not target.names for target in found) and not options.selector:
            raise WrongUse("scale what? Name objects as TYPE/NAME, or choose them with --selector")
        for target in found:
            if "scale" not in target.resource.subresources:
                raise WrongUse(f"objects of type {target.resource.plural} have no number of replicas to set")
        chosen = list(selected(client, found, selectors(options)))
        if not chosen:
            print("No objects found.", file=sys.stderr)
        for target in chosen:
            try:
                problem = _scale(client, target, options.replicas, options.current_replicas)
            except StatusError as error:
                problem = str(error)
            if problem:
                print(f"sampan: {problem}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{target.title(target.name)} scaled")
    return code


def _scale(client: "RestClient", target: Target, replicas: int, current: int | None) -> str:
    """Why nothing was changed: the number is not `current`. Empty if it was. Raises StatusError."""
    path = target.path(target.name, "scale")
    change: dict[str, Any] = {"spec": {"replicas": replicas}}
    if current is not None:
        scale = client.get(path)
        if (found := scale["spec"].get("replicas", 0)) != current:
            return f"{target.title(target.name)} has {found} replicas"
        # A change that another client makes now is a conflict.
        change["metadata"] = {"resourceVersion": scale["metadata"]["resourceVersion"]}
    client.patch(path, change, query={"fieldManager": "sampan"})
    return ""
