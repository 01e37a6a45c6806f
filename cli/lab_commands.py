"""`sampan lab …`: labs by hand, their hosts, commands on them, and faults.

What is wrong with a cable lasts until `heal`, over reboots and `sampan up`. Each fault may be done twice.
"""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.options import add_lab
from cli.progress import Progress
from cli.tables import table

if TYPE_CHECKING:
    from lab.lab import Lab

_PROCESS_FAULTS: Final = {
    "stop": "stop a host's agent, master or engine cleanly",
    "kill": "end a host's agent, master or engine by SIGKILL, as a crash does",
    "start": "start a host's agent, master or engine again",
    "pause": "freeze a host's agent, master or engine",
    "resume": "let go on what was paused",
}
_CUTS: Final = {
    "to": "what others send to the host is lost",
    "from": "what the host sends is lost",
    "from-master": "the host and the master do not hear each other; other nodes are reached",
    "from-peers": "the host and the other nodes do not hear each other; the master is reached",
}
_MOST_LOSS: Final = 100.0
_NODES: Final = 3


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("lab", help="the lab's hosts, and faults on demand", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_labs(actions)
    hosts = _action(actions, "hosts", "each host: namespace, address, engine, state, processes, faults")
    hosts.add_argument("-o", "--output", choices=("table", "json"), default="table")
    hosts.set_defaults(run=_hosts)
    draw = _action(actions, "draw", "a picture (SVG) of hosts, cables, faults, processes and pods")
    draw.add_argument("file", nargs="?", metavar="FILE", help="else NAME.svg, as the lab is called; - is the output")
    draw.set_defaults(run=_draw)
    _add_artifacts(actions)
    execute = _action(actions, "exec", "run a command in a host's network: exec HOST -- COMMAND")
    execute.add_argument("host", metavar="HOST")
    execute.add_argument("command", nargs="*", metavar="-- COMMAND", help="without one: a shell")
    execute.set_defaults(run=_exec)
    _add_cable_faults(actions)
    for name, text in _PROCESS_FAULTS.items():
        action = _fault_action(actions, name, text)
        action.add_argument("target", nargs="?", choices=("agent", "master", "engine"), help="else the host's own")
        action.set_defaults(arguments=("target",))
    _fault_action(actions, "reboot", "lose all of a host but its disk, as without power, and start what runs on it")


def _add_artifacts(actions: "argparse._SubParsersAction[Any]") -> None:
    """What a lab is made of, for clusters that are none."""
    pushed = actions.add_parser("push", help="push the examples' images to a registry, building what is missing")
    pushed.add_argument("registry", metavar="HOST:PORT", type=_registry)
    pushed.set_defaults(run=_push)
    dockerfile = actions.add_parser("dockerfile", help="print how Docker builds an image that boots systemd")
    dockerfile.set_defaults(run=_dockerfile)


def _add_labs(actions: "argparse._SubParsersAction[Any]") -> None:
    listing = actions.add_parser("list", help="the labs of this machine")
    listing.set_defaults(run=_list)
    create = _action(actions, "create", "make a lab: hosts on a wire, no cluster (that is `sampan up`)")
    create.add_argument("--nodes", type=int, metavar="N", help="nodes beside the master's host, of a new lab (3)")
    create.add_argument("--engines", action="store_true", help="also a container engine on each node, and the registry")
    create.set_defaults(run=_create)
    delete = _action(actions, "delete", "remove a lab and all that is in it, as `sampan down`")
    delete.set_defaults(run=_delete)


def _add_cable_faults(actions: "argparse._SubParsersAction[Any]") -> None:
    cut = _fault_action(actions, "cut", "cut a host off the network: pull its cable, or let some packets vanish")
    ways = cut.add_mutually_exclusive_group()
    for way, text in _CUTS.items():
        ways.add_argument(f"--{way}", dest="way", action="store_const", const=way, help=text)
    cut.set_defaults(arguments=("way",))
    loss = _fault_action(actions, "loss", "lose a share of the packets to and from a host")
    loss.add_argument("percent", metavar="PERCENT", type=_percent, help="of each direction; 0: none")
    loss.set_defaults(arguments=("percent",))
    rate = _fault_action(actions, "rate", "limit a host's bandwidth, in each direction")
    rate.add_argument("mbit", metavar="MBIT", type=_rate, help="Mbit/s; `none`: as fast as it goes")
    rate.set_defaults(arguments=("mbit",))
    mtu = _fault_action(actions, "mtu", "set the MTU of a host's cable")
    mtu.add_argument("size", metavar="BYTES", type=int, help="1500 is usual")
    mtu.set_defaults(arguments=("size",))
    _fault_action(actions, "heal", "undo cuts, loss, rate and mtu of a host, and let go on what was paused")


def _action(actions: "argparse._SubParsersAction[Any]", name: str, text: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    add_lab(action)
    return action


def _fault_action(actions: "argparse._SubParsersAction[Any]", name: str, text: str) -> argparse.ArgumentParser:
    """`arguments`: the options that the fault's function takes behind cluster and host."""
    action = _action(actions, name, text)
    action.add_argument("host", metavar="HOST")
    action.set_defaults(run=_fault, fault=name, arguments=())
    return action


def _percent(text: str) -> float:
    value = float(text.removesuffix("%"))
    if not 0.0 <= value <= _MOST_LOSS:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return value


def _rate(text: str) -> float | None:
    if text == "none":
        return None
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 (`none` is no limit)")
    return value


def _registry(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is not like 10.0.0.1:5000')
    return host, int(port)


def _push(options: argparse.Namespace) -> int:
    from lab.images.builder import build
    from lab.images.push import push
    from lab.images.recipes import IMAGES

    for image in build(IMAGES):
        pushed = push(image, *options.registry)
        print(f"{image.recipe.reference} {'pushed' if pushed else 'was there'}")
    return exits.OK


def _dockerfile(_: argparse.Namespace) -> int:
    from lab.machine.dockerfile import text
    from lab.machine.recipe import HOST

    print(text(HOST), end="")
    return exits.OK


def _list(options: argparse.Namespace) -> int:
    from lab.lab import names

    for name in names():
        print(name)
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
    found = survey(options.lab)
    if options.output == "json":
        print(json.dumps(found, indent=2))
        return exits.OK
    rows = [
        (
            entry["name"],
            entry["networkNamespace"],
            entry["address"],
            entry["engineSocket"] or "-",
            " ".join(f"{name}:{pid}" for name, pid in entry["pids"].items()) or "-",
            ", ".join(entry["faults"]) or "-",
        )
        for entry in found
    ]
    print(table(("HOST", "NETWORK NAMESPACE", "ADDRESS", "ENGINE", "PROCESSES", "FAULTS"), rows))
    return exits.OK


def survey(name: str) -> list[dict[str, Any]]:
    """What `lab hosts -o json` lists. `pids`: the daemons by name; `allPids`: also shims and containers."""
    from lab.lab import Lab

    lab = Lab(name)
    found = []
    for host in lab.state.hosts:
        paths = lab.layout.host(host.name)
        is_node = host.role == "node"
        found.append(
            {
                "name": host.name,
                "role": host.role,
                "networkNamespace": lab.layout.netns_name(host.name),
                "address": str(host.address),
                "engineSocket": str(paths.engine_socket) if is_node else None,
                "directory": str(paths.directory),
                "stateDirectory": str(paths.agent_state if is_node else paths.master_data),
                "cut": host.cut,
                "faults": list(host.faults()),
                "pids": lab.running(host.name),
                "allPids": lab.pids(host.name),
            }
        )
    return found


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
    """Replaces this process: the command's exit code is ours, and signals reach it."""
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


def _fault(options: argparse.Namespace) -> int:
    from lab import faults
    from lab.cluster import Cluster
    from lab.lab import Lab

    given = [getattr(options, name) for name in options.arguments]
    if options.fault == "cut":
        given = [None if way is None else faults.Way(way) for way in given]
    getattr(faults, options.fault)(Cluster(Lab(options.lab)), options.host, *given)
    return exits.OK
