"""`sampan logs`: what containers print, of pods or of all pods that another object selects."""

import argparse
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.durations import duration
from cli.exits import WrongUse
from cli.objects.options import add_place, add_selectors
from cli.objects.references import Reference, checked_name, reference
from cli.objects.targets import Target, namespace_of, targets
from cli.options import open_client
from cli.parsing import add_command, count

if TYPE_CHECKING:
    from client.catalog import Catalog
    from client.rest import Document, RestClient

_MOST_FOLLOWED: Final = 20
"""Each followed log has a thread and a connection."""


@dataclass(frozen=True, slots=True)
class _Log:
    """`prefix`: before each line, where the lines of several logs come together."""

    path: str
    query: dict[str, str]
    prefix: bytes


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers, "logs", description="Print the logs of a pod, or of the pods that an object or a selector chooses."
    )
    parser.add_argument(
        "object", nargs="?", type=_subject, metavar="NAME", help="a pod, or TYPE/NAME such as deploy/web"
    )
    add_selectors(parser, fields=False)
    parser.add_argument("-c", "--container", default="", metavar="NAME", help="needed for a pod with several")
    parser.add_argument("--all-containers", action="store_true", help="of all containers of each pod")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the containers end")
    parser.add_argument("-p", "--previous", action="store_true", help="of the container before the last restart")
    parser.add_argument("--tail", type=count, metavar="N", help="only the last N lines")
    parser.add_argument("--since", type=duration, metavar="TIME", help="only the last 30m, 24h, 7d")
    parser.add_argument("--timestamps", action="store_true", help="each line with its time")
    add_place(parser, everywhere=False)
    parser.set_defaults(run=_run)


def _subject(text: str) -> Reference:
    """A pod has a name only; its type is left empty."""
    return reference(text) if "/" in text else Reference("", (checked_name(text),))


def _run(options: argparse.Namespace) -> int:
    from client.catalog import Catalog

    if bool(options.object) == bool(options.selector):
        raise WrongUse("logs of what? Name a pod, or TYPE/NAME, or choose pods with --selector")
    if options.container and options.all_containers:
        raise WrongUse("--container and --all-containers exclude each other")
    with open_client(options) as client:
        logs = list(_logs(client, Catalog(client), options))
        if not logs:
            print("No pods found.", file=sys.stderr)
            return exits.FAILED
        if not options.follow or len(logs) == 1:
            return _print_each(client, logs)
        if len(logs) > _MOST_FOLLOWED:
            raise WrongUse(f"these are {len(logs)} logs; at most {_MOST_FOLLOWED} can be followed")
        return _print_together(client, logs)


def _logs(client: "RestClient", catalog: "Catalog", options: argparse.Namespace) -> Iterator[_Log]:
    pods = list(_pods(client, catalog, options))
    several = len(pods) > 1 or options.all_containers
    for target in pods:
        name = target.name
        for container in _containers(client, target, options):
            prefix = f"[{name}{'/' if container else ''}{container}] ".encode() if several else b""
            yield _Log(target.path(name, "log"), _query(options, container), prefix)


def _query(options: argparse.Namespace, container: str) -> dict[str, str]:
    flags = {"follow": options.follow, "previous": options.previous, "timestamps": options.timestamps}
    query = {name: "true" for name, given in flags.items() if given}
    if container:
        query["container"] = container
    if options.tail is not None:
        query["tailLines"] = str(options.tail)
    if options.since is not None:
        query["sinceSeconds"] = str(int(options.since.total_seconds()))
    return query


def _pods(client: "RestClient", catalog: "Catalog", options: argparse.Namespace) -> Iterator[Target]:
    """What has logs is what the server gives a subresource `log`. Any other object has those that it selects."""
    namespace = namespace_of(options, client)
    logged = catalog.with_subresource("log")
    selector = options.selector
    if options.object:
        named: Reference = options.object
        target = targets(catalog, [Reference(named.word or logged.plural, named.names)], namespace)[0]
        if "log" in target.resource.subresources:
            yield target
            return
        selector = _selector_of(client.get(target.path(target.name)))
        if not selector:
            raise WrongUse(f"{target.title(target.name)} selects no pods")
    for item in client.get(logged.path(namespace), {"labelSelector": selector})["items"]:
        yield Target(logged, namespace, (item["metadata"]["name"],))


def _selector_of(document: "Document") -> str:
    """The `spec.selector` of an object, as a query has it: a plain map, or one with labels and expressions."""
    selector = (document.get("spec") or {}).get("selector") or {}
    expressions: list[Document] = []
    labels = selector
    if isinstance(selector.get("matchLabels"), dict) or isinstance(selector.get("matchExpressions"), list):
        labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    terms = [f"{name}={value}" for name, value in labels.items()]
    return ",".join([*terms, *map(_term, expressions)])


def _term(expression: "Document") -> str:
    key, values = expression["key"], ",".join(expression.get("values") or ())
    words: dict[str, str] = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }
    return words[str(expression["operator"])]


def _containers(client: "RestClient", target: Target, options: argparse.Namespace) -> Sequence[str]:
    """Without a name the server chooses the only one, or says which there are."""
    if not options.all_containers:
        return [options.container]
    spec = client.get(target.path(target.name))["spec"]
    return [entry["name"] for part in ("initContainers", "containers") for entry in spec.get(part) or ()]


def _print_each(client: "RestClient", logs: Sequence[_Log]) -> int:
    from client.errors import StatusError

    code = exits.OK
    for log in logs:
        try:
            for line in _lines(client, log):
                _write(line)
        except StatusError as error:
            print(f"sampan: {error}", file=sys.stderr)
            code = exits.FAILED
    return code


def _print_together(client: "RestClient", logs: Sequence[_Log]) -> int:
    """Lines come in the order of their arrival. The threads end with the command, whatever their logs do."""
    from client.errors import ClientError

    arrived: queue.SimpleQueue[bytes | ClientError | None] = queue.SimpleQueue()

    def follow(log: _Log) -> None:
        try:
            for line in _lines(client, log):
                arrived.put(line)
            arrived.put(None)
        except ClientError as error:
            arrived.put(error)

    for log in logs:
        threading.Thread(target=follow, args=(log,), name="log", daemon=True).start()
    code, running = exits.OK, len(logs)
    while running:
        line = arrived.get()
        if isinstance(line, bytes):
            _write(line)
            continue
        running -= 1
        if line is not None:
            print(f"sampan: {line}", file=sys.stderr)
            code = exits.FAILED
    return code


def _lines(client: "RestClient", log: _Log) -> Iterator[bytes]:
    rest = b""
    for chunk in client.stream(log.path, log.query):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (log.prefix + line + b"\n" for line in lines)
    if rest:
        yield log.prefix + rest + b"\n"


def _write(line: bytes) -> None:
    sys.stdout.write(line.decode(errors="replace"))
    sys.stdout.flush()
