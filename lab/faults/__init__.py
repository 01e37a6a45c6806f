"""Faults on demand: cut or degrade a host's cable, stop or freeze its daemons, set its clock, reboot it, and heal it.

Each function takes the cluster and the name of a host; functions about daemons also take a target: `agent`, `master` or
`engine`. The default target is the agent on a node and the master on its host. Cable faults last until `heal`, also
across a reboot. Every function is idempotent. Faults of the disk are in `disk`.
"""

from lab.faults.cable import cut, flap, loss, mtu, rate
from lab.faults.clock import reset_clock, set_clock
from lab.faults.daemons import Target, kill, pause, resolve, resume, start, stop
from lab.faults.power import reboot
from lab.faults.recovery import heal
from lab.wire import Way

__all__ = [
    "Target",
    "Way",
    "cut",
    "flap",
    "heal",
    "kill",
    "loss",
    "mtu",
    "pause",
    "rate",
    "reboot",
    "reset_clock",
    "resolve",
    "resume",
    "set_clock",
    "start",
    "stop",
]
