"""`sampan lab cut, loss, …, disk, clock, heal`: faults of a host's cable, processes, disk and clock."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.exits import WrongUse
from cli.options import add_lab
from cli.parsing import Parser, add_action, lab_host, mtu, offset, percent, rate, size

if TYPE_CHECKING:
    from lab.cluster import Cluster

_PROCESS_FAULTS: Final = {
    "stop": "stop a host's agent, master or engine cleanly",
    "kill": "kill a host's agent, master or engine, as a crash does (SIGKILL)",
    "start": "start a host's agent, master or engine again",
    "pause": "freeze a host's agent, master or engine (SIGSTOP)",
    "resume": "let a paused agent, master or engine run again",
}
_PROCESSES: Final = ("agent", "master", "engine")
_WAYS: Final = {
    ("master", None): "from-master",
    ("nodes", None): "from-peers",
    (None, "in"): "to",
    (None, "out"): "from",
}
"""The state file's name of a cut, by --peer and --direction."""


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    _add_cable_faults(actions)
    for name, summary in _PROCESS_FAULTS.items():
        action = _fault(actions, name, summary, f"sampan lab {name} node1 engine")
        action.add_argument("target", nargs="?", choices=_PROCESSES, help="default: the host's master or agent")
        action.set_defaults(arguments=("target",))
    _fault(
        actions, "reboot", "power a host off without a warning, and start it again; its disk stays",
        "sampan lab reboot node1",
    )  # fmt: skip
    _add_disk(actions)
    _add_clock(actions)
    _fault(
        actions, "heal", "undo every fault of a host's cable, disk and clock, and resume paused processes",
        "sampan lab heal node1",
    )  # fmt: skip


def _add_cable_faults(actions: "argparse._SubParsersAction[Any]") -> None:
    cut = _fault(
        actions,
        "cut",
        "unplug a host's cable, or drop some of its packets",
        "sampan lab cut node1 --peer master",
        description="Unplug a host's cable, so that its interface loses the carrier. With --peer or --direction the "
        "cable stays plugged in, and those packets are dropped silently. Several such cuts add up; `heal` undoes them.",
    )
    part = cut.add_mutually_exclusive_group()
    part.add_argument(
        "--peer", choices=("master", "nodes"), help="drop packets between the host and the master, or the other nodes"
    )
    part.add_argument("--direction", choices=("in", "out"), help="drop packets to the host, or from the host")
    cut.set_defaults(run=_cut)
    loss = _fault(actions, "loss", "lose a share of the packets to and from a host", "sampan lab loss node1 20%")
    loss.add_argument("percent", metavar="PERCENT", type=percent, help="in each direction; 0 ends it")
    loss.set_defaults(arguments=("percent",))
    limit = _fault(actions, "rate", "limit a host's bandwidth", "sampan lab rate node1 10")
    limit.add_argument("mbit", metavar="MBIT", type=rate, help="Mbit/s in each direction; `none` ends it")
    limit.set_defaults(arguments=("mbit",))
    sized = _fault(actions, "mtu", "set the MTU of a host's cable", "sampan lab mtu node1 1400")
    sized.add_argument("size", metavar="BYTES", type=mtu, help="1500 is normal")
    sized.set_defaults(arguments=("size",))


def _add_disk(actions: "argparse._SubParsersAction[Any]") -> None:
    disk = _fault(
        actions,
        "disk",
        "limit or fill the disk of a host's master or agent, or make it read-only",
        "sampan lab stop node1 && sampan lab disk node1 limit 16M && sampan lab start node1 && "
        "sampan lab disk node1 fill",
        description="Faults of the disk on which a host's master or agent keeps its state. It is not the engine's "
        "disk.",
    )
    disk.add_argument(
        "action",
        choices=("limit", "fill", "refuse", "heal"),
        help="limit: move the state to a disk of SIZE (stop the process first; a reboot loses the state); fill: use "
        "up a limited disk; refuse: let every write fail with EPERM; heal: undo fill and refuse",
    )
    disk.add_argument("size", nargs="?", metavar="SIZE", type=size, help="for `limit`: like 16M")
    disk.set_defaults(run=_disk)


def _add_clock(actions: "argparse._SubParsersAction[Any]") -> None:
    clock = _fault(
        actions,
        "clock",
        "set the wall clock of a host's master or agent",
        "sampan lab clock node1 +1h && sampan lab clock node1 heal",
        description="Set the wall clock of a host's master or agent ahead of the machine's clock, or behind it. The "
        "first time, the process is restarted with a clock of its own; it sees later changes at once.",
    )
    clock.add_argument(
        "offset", metavar="OFFSET|heal", type=_offset, help="ahead (+1h, 90s) or behind (-30m); heal: the right time"
    )
    clock.set_defaults(run=_clock)


def _fault(actions: Any, name: str, summary: str, example: str, **options: Any) -> Parser:
    """`arguments`: the options that the function of lab.faults with this name takes after cluster and host."""
    action = add_action(actions, name, summary, example=example, **options)
    add_lab(action)
    action.add_argument("host", metavar="HOST", type=lab_host)
    action.set_defaults(run=_run, fault=name, arguments=())
    return action


def _offset(text: str) -> float | None:
    """Seconds; None: `heal`."""
    return None if text == "heal" else offset(text)


def _cluster(options: argparse.Namespace) -> "Cluster":
    from lab.cluster import Cluster
    from lab.lab import Lab

    return Cluster(Lab(options.lab))


def _run(options: argparse.Namespace) -> int:
    from lab import faults

    arguments = [getattr(options, name) for name in options.arguments]
    getattr(faults, options.fault)(_cluster(options), options.host, *arguments)
    return exits.OK


def _cut(options: argparse.Namespace) -> int:
    from lab import faults

    way = _WAYS.get((options.peer, options.direction))
    faults.cut(_cluster(options), options.host, None if way is None else faults.Way(way))
    return exits.OK


def _disk(options: argparse.Namespace) -> int:
    from lab.faults import disk

    if (options.action == "limit") != (options.size is not None):
        raise WrongUse("`limit` needs a SIZE, like 16M; the other actions take none")
    cluster = _cluster(options)
    match options.action:
        case "limit":
            disk.limit(cluster, options.host, options.size)
        case "fill":
            disk.fill(cluster, options.host)
        case "refuse":
            disk.refuse(cluster, options.host)
        case "heal":
            disk.undo(cluster, options.host)
    return exits.OK


def _clock(options: argparse.Namespace) -> int:
    from lab import faults

    if options.offset is None:
        faults.reset_clock(_cluster(options), options.host)
    else:
        faults.set_clock(_cluster(options), options.host, options.offset)
    return exits.OK
