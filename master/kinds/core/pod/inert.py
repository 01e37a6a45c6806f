"""Warnings about fields of a pod whose effect depends on another field. The models declare all others (`inert`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from master.kinds.core.pod.container import ContainerPort
from master.kinds.core.pod.members import declared_containers
from master.kinds.core.pod.model import PodSpec
from master.schema.checks import Findings

HEALTH_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""The taints of nodes that are not ready or unreachable. Each pod tolerates them for some time."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a field has no effect, and what it would do then."""

    when: str
    effect: str


# By path below the spec, for the documentation.
CONDITIONAL: Final[Mapping[str, Condition]] = {
    "containers[].ports[].hostIP": Condition(
        "if it is an IPv6 address, or in 127.0.0.0/8 and not for TCP",
        "the node would forward the port of this address to the pod",
    ),
    "tolerations": Condition(
        "unless it is one of the two that every pod gets",
        "the pod could run on nodes with these taints; it can run there anyway",
    ),
}


def warn_about_spec(spec: PodSpec, at: str, findings: Findings) -> None:
    """Adds the warnings about a spec that has its defaults. `at` is its path, such as `spec.template.spec`."""
    for field, name in _without_effect(spec, at):
        findings.inert(field, CONDITIONAL[name].effect)


def _without_effect(spec: PodSpec, at: str) -> Iterator[tuple[str, str]]:
    """The paths of the fields that have no effect, and their keys in CONDITIONAL."""
    for where, container in declared_containers(spec, at):
        for place, port in enumerate(container.ports):
            if port.host_port and not spec.host_network and _unreachable(port):
                yield f"{where}.ports[{place}].hostIP", "containers[].ports[].hostIP"
    for index, toleration in enumerate(spec.tolerations):
        if toleration.key not in HEALTH_TAINTS:
            yield f"{at}.tolerations[{index}]", "tolerations"


def _unreachable(port: ContainerPort) -> bool:
    """Whether nothing that is sent to this address of the node reaches the pod."""
    return ":" in port.host_ip or (port.host_ip.startswith("127.") and port.protocol != "TCP")
