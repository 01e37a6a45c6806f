"""The interface to the kernel: all that netstack reads or changes in the network namespace of one host.

`Kernel` is the Protocol. `HostKernel` implements it with the real kernel, fake.py in memory with the same behaviour.
One contract suite runs against both.
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
        """The host's own network; it stays open as long as this object."""
        ...

    def open_network(self, where: str) -> Network:
        """The network of a pod's namespace; the caller closes it. Raises NamespaceMissing."""
        ...

    def identity(self, where: str) -> tuple[int, int]:
        """Identifies this namespace, even when its path is used for another one later. Raises NamespaceMissing."""
        ...

    def rule_tool(self, prefix: str) -> RuleTool:
        """The iptables of the host. The names of our chains start with `prefix`. Raises RulesUnavailable."""
        ...

    def other_variant_tool(self, prefix: str) -> RuleTool | None:
        """The other variant of iptables, while it has rules that may drop packets that ours accept; else None."""
        ...

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        """Set kernel parameters of the host, or of a pod's namespace. Returns the keys whose value was different.

        Raises NamespaceMissing.
        """
        ...

    def flows(self, protocols: Collection[str]) -> tuple[Flow, ...]:
        """Tracked flows of these protocols: all UDP flows, and TCP connections that have not been answered yet.

        Raises OSError when the kernel does not track connections.
        """
        ...

    def forget_flows(self, flows: Sequence[Flow]) -> None:
        """Delete the conntrack entries: the rules decide again about the next packet of each flow."""
        ...

    def close(self) -> None: ...


class HostKernel:
    """The kernel, seen from the namespace `where` (None: the one of this process)."""

    def __init__(self, where: Where = None, *, variant: str | None = None) -> None:
        """`variant`: legacy or nft, instead of the choice of iptables.choose."""
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

    def other_variant_tool(self, prefix: str) -> RuleTool | None:
        return iptables.other_variant(self._choose(prefix), prefix)

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        return sysctl.write(self._where if where is None else where, values)

    def flows(self, protocols: Collection[str]) -> tuple[Flow, ...]:
        return conntrack.flows(self._where, protocols)

    def forget_flows(self, flows: Sequence[Flow]) -> None:
        conntrack.forget(self._where, flows)

    def close(self) -> None:
        self.host.close()

    def _choose(self, prefix: str) -> iptables.Iptables:
        """Choose once, because our rules must not move between the variants while this object exists."""
        if self._chosen is None:
            self._chosen = iptables.choose(self._where, prefix, variant=self._variant)
        return self._chosen
