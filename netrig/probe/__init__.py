"""Probes: TCP, UDP, ICMP and HTTP from any namespace to any address, thousands per second from one thread.

    with Responder(b.where, name="b", port=80):
        prober = Prober(a.where, name="a")
        prober.expect(Outcome.REPLY, tcp("10.0.0.2", 80), icmp("10.0.0.2"))
        prober.expect(Outcome.REFUSED, tcp("10.0.0.2", 81))
        assert prober.one(ask("10.0.0.2", 80)).seen == "10.0.0.1"
        print(prober.spread(ask("10.96.0.10", 80), 1000))

A namespace is given as a name under /run/netns, a path, a pid (such as a pod's sandbox), or None for the caller's own.
"""

from netrig.probe.held import Connection, Flow
from netrig.probe.model import Answer, Outcome, Probe, Protocol, Result, Spread, ask, ask_udp, http, icmp, tcp, udp
from netrig.probe.prober import Prober
from netrig.probe.responder import Responder

__all__ = [
    "Answer",
    "Connection",
    "Flow",
    "Outcome",
    "Probe",
    "Prober",
    "Protocol",
    "Responder",
    "Result",
    "Spread",
    "ask",
    "ask_udp",
    "http",
    "icmp",
    "tcp",
    "udp",
]
