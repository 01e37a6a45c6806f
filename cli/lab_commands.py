"""`sampan lab …`: labs by hand, their hosts and commands on them. The other actions: lab_faults.py, lab_network.py."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits, lab_faults, lab_network
from cli.options import add_lab, add_output, show
from cli.parsing import Parser, add_action, add_command, lab_host, lab_size, registry
from cli.progress import Progress
from cli.tables import table

if TYPE_CHECKING:
    from lab.lab import Lab

_NODES: Final = 3


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "lab",
        description="Look at the lab's hosts, run commands on them, and cause faults. Faults of a cable last until "
        "`heal`, over reboots and `sampan up`. Causing a fault twice is the same as once.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_labs(actions)
    hosts = lab_action(actions, "hosts", "list the hosts with their addresses, processes and faults", "")
    add_output(hosts)
    hosts.set_defaults(run=_hosts)
    draw = lab_action(
        actions, "draw", "draw hosts, cables, faults, processes and pods as SVG", "sampan lab draw lab.svg"
    )
    draw.add_argument("file", nargs="?", metavar="FILE", help="- writes to standard output; default: LAB.svg")
    draw.set_defaults(run=_draw)
    execute = lab_action(
        actions,
        "exec",
        "run a command in a host's network namespace",
        "sampan lab exec node1 -- ip route",
        usage="sampan lab exec [--lab NAME] HOST [-- COMMAND …]",
    )
    execute.add_argument("host", metavar="HOST", type=lab_host)
    execute.add_argument("command", nargs="*", metavar="-- COMMAND", help="default: a shell")
    execute.set_defaults(run=_exec)
    lab_network.add(actions)
    lab_faults.add(actions)
    _add_artifacts(actions)


def lab_action(actions: Any, name: str, summary: str, example: str, **options: Any) -> Parser:
    """An action of `sampan lab` on one lab."""
    action = add_action(actions, name, summary, example=example or f"sampan lab {name}", **options)
    add_lab(action)
    return action


def _add_labs(actions: "argparse._SubParsersAction[Any]") -> None:
    listing = add_action(actions, "list", "list the labs of this machine", example="sampan lab list -o json")
    add_output(listing, "text")
    listing.set_defaults(run=_list)
    create = lab_action(
        actions,
        "create",
        "make a lab without a cluster (`sampan up` makes one with a cluster)",
        "sampan lab create --lab small --nodes 1",
    )
    create.add_argument(
        "--nodes", type=lab_size, metavar="N", help=f"nodes of a new lab, besides the master's host; default: {_NODES}"
    )
    create.add_argument("--engines", action="store_true", help="also a container engine on each node, and the registry")
    create.set_defaults(run=_create)
    delete = lab_action(actions, "delete", "remove a lab and everything in it, like `sampan down`", "")
    delete.set_defaults(run=_delete)


def _add_artifacts(actions: "argparse._SubParsersAction[Any]") -> None:
    """What labs are made of, for clusters outside of labs."""
    push = add_action(
        actions,
        "push",
        "push the examples' images to a registry; builds missing ones",
        example="sampan lab push 192.0.2.1:5000",
    )
    push.add_argument("registry", metavar="ADDRESS:PORT", type=registry)
    push.set_defaults(run=_push)
    dockerfile = add_action(
        actions,
        "dockerfile",
        "print the Dockerfile of an image that boots systemd",
        example="sampan lab dockerfile | docker build --tag machine -",
    )
    dockerfile.set_defaults(run=_dockerfile)


def _push(options: argparse.Namespace) -> int:
    from lab.images.builder import build
    from lab.images.push import push
    from lab.images.recipes import IMAGES

    for image in build(IMAGES):
        pushed = push(image, *options.registry)
        print(f"{image.recipe.reference} {'pushed' if pushed else 'exists'}")
    return exits.OK


def _dockerfile(_: argparse.Namespace) -> int:
    from lab.machine.dockerfile import text
    from lab.machine.recipe import HOST

    print(text(HOST), end="")
    return exits.OK


def _list(options: argparse.Namespace) -> int:
    from lab.lab import names
    from lab.layout import Layout

    layouts = [Layout(name) for name in names()]
    documents = [
        {"name": layout.name, "directory": str(layout.directory), "kubeconfig": str(layout.kubeconfig)}
        for layout in layouts
    ]
    if layouts or options.output == "json":
        show(options, documents, lambda: "\n".join(layout.name for layout in layouts))
    return exits.OK


def _create(options: argparse.Namespace) -> int:
    from lab.lab import Lab
    from lab.state import command_lock

    progress = Progress()
    lab = Lab(options.lab)
    with command_lock(lab.layout):
        if lab.exists and options.nodes not in (None, len(lab.state.nodes)):
            progress.say(f"lab {lab.name} keeps its number of nodes, {len(lab.state.nodes)}: --nodes is for a new lab")
        with progress.step("hosts"):
            lab.create(nodes=_NODES if options.nodes is None else options.nodes)
        if options.engines:
            _start_engines(lab, progress)
    return exits.OK


def _start_engines(lab: "Lab", progress: Progress) -> None:
    from lab.distribution import install

    install(progress)
    for name, work in (
        ("engines", lab.start_engines),
        ("registry", lab.start_registry),
        ("images", lab.push_images),
    ):
        with progress.step(name):
            work()


def _delete(options: argparse.Namespace) -> int:
    from cli.down import remove

    return remove(options.lab)


def _hosts(options: argparse.Namespace) -> int:
    from lab.lab import Lab
    from lab.survey import survey

    hosts = survey(Lab(options.lab))
    show(options, hosts, lambda: _render(hosts))
    return exits.OK


def _render(hosts: list[dict[str, Any]]) -> str:
    rows = [
        (
            host["name"],
            host["networkNamespace"],
            host["address"],
            host["engineSocket"] or "-",
            " ".join(f"{name}:{pid}" for name, pid in host["pids"].items()) or "-",
            ", ".join(host["faults"]) or "-",
        )
        for host in hosts
    ]
    return table(("HOST", "NETWORK NAMESPACE", "ADDRESS", "ENGINE", "PROCESSES", "FAULTS"), rows)


def _draw(options: argparse.Namespace) -> int:
    from lab.cluster import Cluster
    from lab.lab import Lab
    from lab.picture import collect, drawing_of
    from netrig.drawing import svg

    text = svg(drawing_of(collect(Cluster(Lab(options.lab)))))
    if options.file == "-":
        print(text, end="")
        return exits.OK
    path = Path(options.file or f"{options.lab}.svg")
    path.write_text(text)
    print(path)
    return exits.OK


def _exec(options: argparse.Namespace) -> int:
    """Replaces this process, so that the command's exit code is ours and signals reach it."""
    from lab.lab import Lab

    lab = Lab(options.lab)
    paths = lab.host_paths(options.host)
    command = [*options.command, *options.rest]
    if not command:
        command = [os.environ.get("SHELL", "/bin/sh")]
    environment = {
        **os.environ,
        "DOCKER_HOST": f"unix://{paths.engine_socket}",
        "KUBECONFIG": str(lab.layout.kubeconfig),
        "XTABLES_LOCKFILE": str(paths.xtables_lock),
    }
    os.execvpe("nsenter", ["nsenter", f"--net={paths.netns}", "--", *command], environment)
