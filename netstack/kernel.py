"""The interface to the kernel: all that netstack reads or changes in the network namespace of one host.

`Kernel` is the Protocol. `HostKernel` implements it with the real kernel, fake.py in memory with the same behaviour.
One contract suite runs against both.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from netstack import namespaces, sysctl
from netstack.errors import HostNamespace
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

    def pinned(self, where: str) -> AbstractContextManager[str]:
        """A path that leads to the pod's present namespace throughout the block.

        A path with a pid may lead to another namespace later, even to the host's, when the pid belongs to another
        process. Raises HostNamespace if it leads there already, NamespaceMissing.
        """
        ...

    def open_network(self, where: str) -> Network:
        """The network of a pod's namespace; the caller closes it. Raises NamespaceMissing, HostNamespace."""
        ...

    def identity(self, where: str) -> tuple[int, int]:
        """Identifies this namespace, even when its path is used for another one later.

        Raises NamespaceMissing, HostNamespace.
        """
        ...

    def rule_tool(self, prefix: str) -> RuleTool:
        """The iptables of the host. The names of our chains start with `prefix`. Raises RulesUnavailable."""
        ...

    def other_variant_tool(self, prefix: str) -> RuleTool | None:
        """The other variant of iptables, while it has rules that may drop packets that ours accept; else None."""
        ...

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        """Set kernel parameters of the host, or of a pod's namespace. Returns the keys whose value was different.

        Raises NotThere for an unknown parameter, NamespaceMissing, HostNamespace.
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
        self._own = namespaces.identity(where)

    @contextmanager
    def pinned(self, where: str) -> Iterator[str]:
        fd = namespaces.open_fd(where)
        try:
            path = namespaces.of_fd(fd)
            if namespaces.identity(path) == self._own:
                raise HostNamespace(f"network namespace {where} is the host's own, not a pod's")
            yield path
        finally:
            os.close(fd)

    def open_network(self, where: str) -> Network:
        with self.pinned(where) as path:
            return open_network(path)

    def identity(self, where: str) -> tuple[int, int]:
        with self.pinned(where) as path:
            return namespaces.identity(path)

    def rule_tool(self, prefix: str) -> RuleTool:
        return self._choose(prefix)

    def other_variant_tool(self, prefix: str) -> RuleTool | None:
        return iptables.other_variant(self._choose(prefix), prefix)

    def write_sysctls(self, values: Mapping[str, str], where: str | None = None) -> tuple[str, ...]:
        if where is None:
            return sysctl.write(self._where, values)
        with self.pinned(where) as path:
            return sysctl.write(path, values)

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
