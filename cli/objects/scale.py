"""`sampan scale`: set the number of replicas of any object that has the subresource `scale`."""

import argparse
import sys
from typing import Any

from cli import exits
from cli.exits import WrongUse
from cli.objects.options import add_place, add_references, add_selectors, selectors
from cli.objects.targets import namespace_of, selected, targets
from cli.options import open_client
from cli.parsing import add_command, count


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
        for target in selected(client, found, selectors(options)):
            path = target.path(target.name, "scale")
            change: dict[str, Any] = {"spec": {"replicas": options.replicas}}
            try:
                if options.current_replicas is not None:
                    scale = client.get(path)
                    if (current := scale["spec"].get("replicas", 0)) != options.current_replicas:
                        print(f"sampan: {target.title(target.name)} has {current} replicas", file=sys.stderr)
                        code = exits.FAILED
                        continue
                    # A change that another client makes now is a conflict.
                    change["metadata"] = {"resourceVersion": scale["metadata"]["resourceVersion"]}
                client.patch(path, change, query={"fieldManager": "sampan"})
            except StatusError as error:
                print(f"sampan: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{target.title(target.name)} scaled")
    return code
