"""The door to the kernel: everything of one host's network namespace that netstack reads or changes.

`Kernel` is the Protocol; `HostKernel` the real thing; fake.py has one in memory with the same behaviour, and one
contract suite runs against both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from netstack import namespaces, sysctl
from netstack.namespaces import Where
from netstack.netlink import conntrack
from netstack.network import Network, open_network
from netstack.services import iptables
from netstack.services.flows import Flow
from netstack.services.writer import RuleTool


class Kernel(Protocol):
    """One host."""

    @property
    def host(self) -> Network:
        """The host's own network; stays open as long as this does."""
        ...

    def open_network(self, where: str) -> Network:
        """The network of a pod's namespace; the caller closes it. Raises NamespaceMissing."""
        ...

    def identity(self, where: str) -> tuple[int, int]:
        """What tells this namespace from all others, also when its path is used again. Raises NamespaceMissing."""
        ...

    def rule_tool(self, prefix: str) -> RuleTool:
        """The iptables of the host; `prefix` begins our chains' names. Raises RulesUnavailable."""
        ...

    def partner_tool(self, prefix: str) -> RuleTool | None:
        """The other variant of iptables, while it has rules that may drop what ours accept; else None."""
        ...

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        """Set kernel parameters of the host, or of a pod's namespace; the keys that had another value.

        Raises NamespaceMissing.
        """
        ...

    def flows(self, protocols: Collection[str]) -> tuple[Flow, ...]:
        """What is tracked of these protocols: the flows of UDP, of TCP the connections that nobody has answered yet.

        Raises OSError where connections are not tracked.
        """
        ...

    def forget_flows(self, flows: Sequence[Flow]) -> None:
        """Let their next packet be the first one again."""
        ...

    def close(self) -> None: ...


class HostKernel:
    """The kernel, seen from the namespace `where` (None: this process' own)."""

    def __init__(self, where: Where = None, *, variant: str | None = None) -> None:
        """`variant`: legacy or nft instead of the choice that iptables.choose makes."""
        self._where = where
        self._variant = variant
        self._chosen: iptables.Iptables | None = None
        self.host: Network = open_network(where)

    def open_network(self, where: str) -> Network:
        return open_network(where)

    def identity(self, where: str) -> tuple[int, int]:
        return namespaces.identity(where)

    def rule_tool(self, prefix: str) -> RuleTool:
        return self._choose(prefix)

    def partner_tool(self, prefix: str) -> RuleTool | None:
        return iptables.partner(self._choose(prefix), prefix)

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        return sysctl.write(self._where if where is None else where, values)

    def flows(self, protocols: Collection[str]) -> tuple[Flow, ...]:
        return conntrack.flows(self._where, protocols)

    def forget_flows(self, flows: Sequence[Flow]) -> None:
        conntrack.forget(self._where, flows)

    def close(self) -> None:
        self.host.close()

    def _choose(self, prefix: str) -> iptables.Iptables:
        """Once: what is ours must not wander from one variant to the other while we are there."""
        if self._chosen is None:
            self._chosen = iptables.choose(self._where, prefix, variant=self._variant)
        return self._chosen
