"""NetworkPolicy: peers, ports and ranges of addresses."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from master.registry.passive import Supplement
from master.registry.untyped import UntypedStrategy, with_spec
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.forms import network

_DIRECTIONS: Final = {"ingress": "from", "egress": "to"}
_TYPES: Final = ("Ingress", "Egress")


class NetworkPolicyStrategy(UntypedStrategy):
    """The rules of network policies."""

    def default(self, obj: Untyped) -> Untyped:
        spec = obj.spec
        if spec.get("policyTypes"):
            return obj
        types = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        return with_spec(obj, {**spec, "policyTypes": types})

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        for direction, peers in _DIRECTIONS.items():
            for index, rule in enumerate(spec.get(direction, ())):
                at = f"spec.{direction}[{index}]"
                for position, port in enumerate(rule.get("ports", ())):
                    _check_port(port, f"{at}.ports[{position}]", findings)
                for position, peer in enumerate(rule.get(peers, ())):
                    _check_peer(peer, f"{at}.{peers}[{position}]", findings)
        types = spec["policyTypes"]
        if len(types) > len(_TYPES):
            findings.invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
            return
        for index, type_ in enumerate(types):
            findings.one_of(f"spec.policyTypes[{index}]", type_, _TYPES)


def _check_port(port: dict[str, Any], at: str, findings: Findings) -> None:
    number, end = port.get("port"), port.get("endPort")
    if number is not None:
        findings.port_or_name(f"{at}.port", number)
    if end is None:
        return
    if isinstance(number, int):
        if end < number:
            findings.invalid(f"{at}.endPort", end, "must be greater than or equal to `port`")
        findings.port(f"{at}.endPort", end)
    else:
        problem = "not specified" if number is None else "non-numeric"
        findings.invalid(f"{at}.endPort", end, f"may not be specified when `port` is {problem}")


def _check_peer(peer: dict[str, Any], at: str, findings: Findings) -> None:
    if not peer:
        findings.required(at, "must specify a peer")
    elif "ipBlock" in peer and len(peer) > 1:
        findings.forbidden(at, "may not specify both ipBlock and another peer")
    if "ipBlock" in peer:
        _check_block(peer["ipBlock"], f"{at}.ipBlock.except", findings)


def _check_block(block: dict[str, Any], at: str, findings: Findings) -> None:
    """Checks that the exceptions are parts of the range. The schema has checked their forms."""
    if network(block["cidr"]):
        return
    whole = ipaddress.ip_network(block["cidr"])
    for index, text in enumerate(block.get("except", ())):
        if network(text):
            continue
        part = ipaddress.ip_network(text)
        is_inside = part.version == whole.version and part.prefixlen > whole.prefixlen and part.subnet_of(whole)  # type: ignore[arg-type]
        if not is_inside:
            findings.invalid(f"{at}[{index}]", text, "must be a strict subset of `cidr`")


NETWORKPOLICY: Final = Supplement(NetworkPolicyStrategy)
