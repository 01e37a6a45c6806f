"""`sampan lab logs, capture, probe`: what a host's processes log, and what its network does."""

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.exits import WrongUse
from cli.options import add_lab, add_output, show
from cli.parsing import Parser, add_action, count, interface, ipv4, lab_host, port, positive_seconds

if TYPE_CHECKING:
    from netrig.capture import Summary
    from netrig.probe import Probe, Result

_HTTP_PORT: Final = 80


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    logs = _action(actions, "logs", "print the log of a host's agent, master or engine", "sampan lab logs node1 -f")
    logs.add_argument(
        "target", nargs="?", choices=("agent", "master", "engine"), help="default: the host's master or agent"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
    logs.add_argument("--tail", type=count, metavar="N", help="only the last N lines")
    logs.set_defaults(run=_logs)
    capture = _action(
        actions,
        "capture",
        "capture the packets on a host's interface, and summarize them",
        "sampan lab capture node1 eth0 --seconds 10 --file node1.pcap",
        description="Capture the packets on a host's interface until Ctrl-C, and print a summary of the flows.",
    )
    capture.add_argument("interface", metavar="INTERFACE", type=interface, help="eth0 is the host's cable")
    capture.add_argument("--file", type=Path, metavar="FILE", help="also keep the packets there (pcap, at most 16 MiB)")
    capture.add_argument("--seconds", type=positive_seconds, metavar="N", help="stop after this time")
    add_output(capture, "text")
    capture.set_defaults(run=_capture)
    probe = _action(
        actions,
        "probe",
        "send one probe from a host: TCP connection, UDP datagram, ping or HTTP request",
        "sampan lab probe node1 tcp 10.96.0.1 443",
        description="Send one probe from a host, and print whether it got a reply, was refused, or got no answer "
        "(silence). The exit code is 0 for a reply and 1 otherwise.",
    )
    probe.add_argument("protocol", choices=("tcp", "udp", "icmp", "http"))
    probe.add_argument("address", metavar="ADDRESS", type=ipv4, help="IPv4")
    probe.add_argument("port", nargs="?", metavar="PORT", type=port, help=f"for http default: {_HTTP_PORT}")
    probe.add_argument("--path", default="/", help="of the HTTP request; default: /")
    probe.add_argument(
        "--timeout", type=positive_seconds, default=1.0, metavar="SECONDS", help="then it is silence; default: 1"
    )
    add_output(probe, "text")
    probe.set_defaults(run=_probe)


def _action(actions: Any, name: str, summary: str, example: str, **options: Any) -> Parser:
    action = add_action(actions, name, summary, example=example, **options)
    add_lab(action)
    action.add_argument("host", metavar="HOST", type=lab_host)
    return action


def _namespace(options: argparse.Namespace) -> str:
    """The name of the host's network namespace. Raises NotFound."""
    from lab.lab import Lab

    lab = Lab(options.lab)
    return lab.layout.netns_name(lab.state.host(options.host).name)


def _logs(options: argparse.Namespace) -> int:
    """Replaces this process by tail(1), which also follows a file that is created again."""
    from lab.cluster import Cluster
    from lab.lab import Lab
    from lab.logs import files

    paths = files(Cluster(Lab(options.lab)), options.host, options.target)
    lines = "+1" if options.tail is None else str(options.tail)
    follow = ["-F"] if options.follow else []
    os.execvp("tail", ["tail", "-n", lines, *follow, "--", *map(str, paths)])


def _capture(options: argparse.Namespace) -> int:
    from netrig.capture import Capture

    capture = Capture(_namespace(options), options.interface, path=options.file)
    with capture:
        ends = "Ctrl-C ends it" if options.seconds is None else f"for {options.seconds:g} s"
        try:
            print(f"capturing {options.interface} of {options.host}; {ends}", file=sys.stderr)
            Event().wait(options.seconds)
        except KeyboardInterrupt:
            print(file=sys.stderr)  # behind the terminal's ^C
    summary = capture.summary()
    show(options, _summary_document(summary), summary.text)
    return exits.OK


def _summary_document(summary: "Summary") -> dict[str, Any]:
    return {
        "packets": summary.packets,
        "lost": summary.lost,
        "notInFile": summary.left_out,
        "flows": [asdict(flow) for flow in summary.services()],
    }


def _probe(options: argparse.Namespace) -> int:
    from netrig.probe import Outcome, Prober

    probe = probe_of(options)
    result = Prober(_namespace(options), name=options.host).one(probe)
    show(options, _result_document(result), lambda: str(result))
    return exits.OK if result.outcome is Outcome.REPLY else exits.FAILED


def probe_of(options: argparse.Namespace) -> "Probe":
    """Raises WrongUse when protocol and port do not fit together."""
    from netrig import probe

    where, timeout_s = options.address, options.timeout
    if (options.port is None) != (options.protocol == "icmp") and options.protocol != "http":
        raise WrongUse(f"a probe by {options.protocol} {'has no' if options.port else 'needs a'} PORT")
    match options.protocol:
        case "tcp":
            return probe.tcp(where, options.port, timeout_s=timeout_s)
        case "udp":
            return probe.udp(where, options.port, timeout_s=timeout_s)
        case "icmp":
            return probe.icmp(where, timeout_s=timeout_s)
    return probe.http(where, options.port or _HTTP_PORT, path=options.path, timeout_s=timeout_s)


def _result_document(result: "Result") -> dict[str, Any]:
    return {
        "from": result.origin,
        "probe": str(result.probe),
        "outcome": str(result.outcome),
        "seconds": round(result.latency_s, 6),
        "detail": result.detail,
        "server": result.server,
        "status": result.status or None,
    }
