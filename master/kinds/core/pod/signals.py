"""Checks of how containers stop: `lifecycle.stopSignal` of containers on Linux, and hooks that sleep."""

from __future__ import annotations

from typing import Final

from master.kinds.core.pod.container import Lifecycle
from master.kinds.core.pod.members import declared_containers
from master.kinds.core.pod.model import PodSpec
from master.schema.checks import Findings

_NAMED: Final = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP "
    "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
SIGNALS: Final = frozenset(
    {
        *(f"SIG{name}" for name in _NAMED.split()),
        *(f"SIGRTMIN+{number}" for number in range(1, 16)),
        *(f"SIGRTMAX-{number}" for number in range(1, 15)),
    }
)
"""Kubernetes' names of the signals of Linux."""


def check_stop_signals(spec: PodSpec, at: str, findings: Findings) -> None:
    """A stop signal must be one of the system that `spec.os.name` names."""
    for path, container in declared_containers(spec, at):
        signal = container.lifecycle.stop_signal if container.lifecycle is not None else None
        if signal is None:
            continue
        where = f"{path}.lifecycle.stopSignal"
        if spec.os is None or not spec.os.name:
            findings.forbidden(where, "may not be set for containers with empty `spec.os.name`")
        else:
            findings.one_of(where, signal, sorted(SIGNALS))


def check_sleeps(spec: PodSpec, at: str, findings: Findings) -> None:
    """A hook must not sleep longer than the pod's grace period."""
    grace_s = spec.termination_grace_period_seconds
    if grace_s is None:
        return
    for path, container in declared_containers(spec, at):
        hooks = container.lifecycle or Lifecycle()
        for name, hook in (("postStart", hooks.post_start), ("preStop", hooks.pre_stop)):
            if hook is not None and hook.sleep is not None and hook.sleep.seconds > grace_s:
                why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
                findings.invalid(f"{path}.lifecycle.{name}.sleep", hook.sleep.seconds, why)
