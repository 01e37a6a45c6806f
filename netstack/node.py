"""NodeNetwork: the whole network of one node, for the agent.

It combines the overlay (overlay/), pod links with their addresses (pods.py, ipam.py, records.py) and service rules
(services/). It is synchronous, for one thread at a time. It keeps nothing that cannot be read back: a new NodeNetwork
on the same host and state directory adopts what exists, without a flush and without breaking a connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from netstack import changes as c
from netstack import ipv6, namespaces, pods
from netstack.changes import Change
from netstack.desired import (
    Endpoint,
    HostPort,
    NetworkState,
    NodeSettings,
    Peer,
    PublishedPort,
    Repair,
    ServicePort,
)
from netstack.errors import NetstackError, NotThere, RulesRefused
from netstack.ipam import AddressPool
from netstack.kernel import HostKernel, Kernel
from netstack.overlay.backend import Backend
from netstack.overlay.plan import plan
from netstack.overlay.vxlan import VxlanBackend
from netstack.pods import PodLink
from netstack.records import PodRecords
from netstack.services.flows import TCP, Frontends, changed_frontends, stale
from netstack.services.hostports import changed_host_ports, published
from netstack.services.names import chain_names
from netstack.services.rules import accepting_rules, ruleset
from netstack.services.table import Table
from netstack.services.writer import RuleWriter
from netstack.state import Snapshot

__all__ = ["Endpoint", "HostPort", "NetworkState", "NodeNetwork", "NodeSettings", "Peer", "Repair", "ServicePort"]

logger = logging.getLogger(__name__)

# A node routes between pods, and between pods and other hosts. The data path needs no other parameter.
_SYSCTLS: Final = {"net/ipv4/ip_forward": "1"}

_HANDSHAKE_S: Final = 0.1
"""Time within which a server on another node answers a new connection, if it answers at all."""


class NodeNetwork:
    """The network of one node. Close it at the end; closing changes nothing in the kernel."""

    def __init__(
        self, settings: NodeSettings, kernel: Kernel | None = None, *, wait: Callable[[float], None] = time.sleep
    ) -> None:
        """`wait` sleeps for a number of seconds."""
        self._settings = settings
        self._wait = wait
        self._kernel: Kernel = kernel if kernel is not None else HostKernel()
        self._backend: Backend = VxlanBackend(settings)
        directory = settings.state_dir / "network"
        self._pool = AddressPool(directory / "addresses", settings.pod_cidr)
        self._records = PodRecords(directory / "pods")
        for pod in self._records.all():
            self._pool.hold(pod.uid, pod.address)
        self._rules: RuleWriter | None = None
        self._state: NetworkState | None = None
        self._ports: tuple[PublishedPort, ...] = ()  # as last written
        self._mtu = 0  # of the underlay, as last read

    def close(self) -> None:
        """Close the sockets."""
        self._kernel.close()

    def apply(self, state: NetworkState) -> None:
        """Bring the overlay and the service rules to `state`. Each table of rules changes atomically.

        Unchanged peers are left to the audits, because a new endpoint must not cost a dump of all links.
        """
        self._kernel.write_sysctls(_SYSCTLS)
        steps: list[Change] = []
        if self._state is None or (state.peers, state.dns) != (self._state.peers, self._state.dns):
            steps = self._overlay_steps(state, self._kernel.host.snapshot())
        # The route to the cluster IPs comes last. A connection that takes it before the rules exist would hang, because
        # the kernel never looks up its flow in the nat table again.
        self._change([step for step in steps if not self._leads_to_services(step)])
        if self._state is None:
            ipv6.close(self._kernel, self._device_name)  # an earlier release left it open
        ports = self._write_rules(state)
        self._change([step for step in steps if self._leads_to_services(step)])
        if self._state is None:
            self._write_other_variant()
        self._forget_flows(state, ports)
        self._state, self._ports = state, ports

    def attach_pod(self, pod_uid: str, netns_pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address:
        """Create eth0 in the network namespace of that process. A pod keeps its address until it is released.

        `ports`: the host ports that lead to the pod until it is detached.
        """
        return self.attach_namespace(pod_uid, namespaces.of_pid(netns_pid), ports)

    def attach_namespace(self, pod_uid: str, namespace: str, ports: Sequence[HostPort] = ()) -> IPv4Address:
        """Like `attach_pod`, for a namespace given by name or path. Raises HostNamespace for the host's own."""
        with self._kernel.pinned(namespace) as where:
            identity = self._kernel.identity(where)
            address = self._pool.claim(pod_uid)
            pod = PodLink(pod_uid, address, namespace, identity, tuple(ports))
            self._records.put(pod)
            pods.connect(self._kernel, pod, where, mtu=self._pod_mtu(self._underlay_mtu()))
        try:
            self._publish(self._records.all())
        except RulesRefused:
            # A port that this kernel cannot have, perhaps of SCTP, must not stop all other changes of rules.
            self._records.put(replace(pod, ports=()))
            raise
        return address

    def detach_pod(self, pod_uid: str) -> None:
        """Remove the pod's host ports, then its link; its address stays claimed."""
        self._publish([pod for pod in self._records.all() if pod.uid != pod_uid])
        pods.disconnect(self._kernel.host, pod_uid)
        self._records.remove(pod_uid)

    def release_pod(self, pod_uid: str) -> None:
        """Free the pod's address, after its sandbox is gone. Removes the pod's link first if it still exists."""
        self.detach_pod(pod_uid)
        self._pool.release(pod_uid)

    def pods(self) -> dict[str, IPv4Address]:
        """The claimed addresses by pod uid."""
        return dict(self._pool.claims())

    def retain(self, pod_uids: Iterable[str]) -> tuple[str, ...]:
        """Detach and release all other pods, and remove pod links without a pod. Returns the released uids."""
        alive = set(pod_uids)
        known = self.pods().keys() | {pod.uid for pod in self._records.all()}
        dead = tuple(sorted(known - alive))
        for uid in dead:
            self.release_pod(uid)
        orphans = pods.strays(self._kernel.host.snapshot(), alive)
        self._kernel.host.change([c.DeleteLink(name) for name in orphans])
        return dead

    def audit(self, *, links: bool = True) -> tuple[Repair, ...]:
        """Compare the kernel with the desired state and repair the differences. Returns the repairs.

        Without `links`, audits only rules and kernel parameters, whose changes the kernel does not announce. A part
        that fails does not stop the others. Raises the first failure.
        """
        repairs: list[Repair] = []
        failures: list[Exception] = []
        for part in (
            self._audit_sysctls,
            self._audit_rules,
            self._audit_other_variant,
            *((self._audit_links,) if links else ()),
        ):
            try:
                repairs += part()
            except (NetstackError, OSError) as error:
                failures.append(error)
        if failures:
            for repair in repairs:
                logger.warning("node %s: repaired %s: %s", self._settings.node_name, repair.what, repair.detail)
            for failure in failures[1:]:
                logger.error("node %s: audit: %s", self._settings.node_name, failure)
            raise failures[0]
        return tuple(repairs)

    def teardown(self) -> None:
        """Remove everything of ours from the host and the state directory. IP forwarding stays as it is.

        A part that fails does not stop the others. Raises the first failure.
        """
        failures: list[Exception] = []
        self._state = None  # no pod that is released writes rules again
        for part in (self._remove_rules, self._release_all, self._remove_links):
            try:
                part()
            except (NetstackError, OSError) as error:
                failures.append(error)
        if failures:
            for failure in failures[1:]:
                logger.error("node %s: teardown: %s", self._settings.node_name, failure)
            raise failures[0]

    def _remove_rules(self) -> None:
        self._writer().remove()
        if (other := self._other_writer()) is not None:
            other.remove()

    def _release_all(self) -> None:
        for uid in self.pods().keys() | {pod.uid for pod in self._records.all()}:
            self.release_pod(uid)

    def _remove_links(self) -> None:
        observed = self._kernel.host.snapshot()
        self._kernel.host.change(
            [
                *(c.DeleteLink(name) for name in pods.strays(observed, ())),
                *(c.DeleteLink(link.name) for link in observed.links if link.name == self._device_name),
            ]
        )

    @property
    def _device_name(self) -> str:
        return f"{self._settings.owner}.vxlan"

    def _audit_sysctls(self) -> Sequence[Repair]:
        return [Repair("sysctl", key) for key in self._kernel.write_sysctls(_SYSCTLS)]

    def _audit_rules(self) -> Sequence[Repair]:
        if self._state is None:
            return ()
        return self._writer().audit(self._desired_rules(self._state, self._ports))

    def _audit_other_variant(self) -> Sequence[Repair]:
        return () if self._state is None else self._write_other_variant()

    def _audit_links(self) -> Sequence[Repair]:
        observed = self._kernel.host.snapshot()
        overlay = [] if self._state is None else self._repair_overlay(self._state, observed)
        mtu = self._pod_mtu(self._mtu_in(observed))
        return [*overlay, *pods.audit(self._kernel, self._records.all(), observed, mtu=mtu)]

    def _repair_overlay(self, state: NetworkState, observed: Snapshot) -> list[Repair]:
        steps = self._overlay_steps(state, observed)
        self._change(steps)
        repairs = [Repair("overlay", str(step)) for step in steps]
        if ipv6.close(self._kernel, self._device_name):
            repairs.append(Repair("overlay", f"{self._device_name}: IPv6 switched off"))
        return repairs

    def _overlay_steps(self, state: NetworkState, observed: Snapshot) -> list[Change]:
        return plan(self._backend.desired(state.peers, self._mtu_in(observed), state.dns), observed)

    def _leads_to_services(self, step: Change) -> bool:
        return isinstance(step, c.SetRoute) and step.route.destination == self._settings.service_cidr

    def _change(self, steps: Sequence[Change]) -> None:
        """Apply the steps. A new device comes up after IPv6 is off on it."""
        for number, step in enumerate(steps):
            if isinstance(step, c.AddVxlan):
                self._kernel.host.change([*steps[:number], replace(step, up=False)])
                ipv6.close(self._kernel, step.name)
                steps = [c.SetLink(step.name, up=True), *steps[number + 1 :]]
                break
        if steps:
            self._kernel.host.change(steps)

    def _write_rules(self, state: NetworkState) -> tuple[PublishedPort, ...]:
        """Write the rules of services and of host ports; returns those ports. Raises RulesRefused.

        After a reboot, the kernel may lack what the port of a pod needs, such as the match of SCTP. That must not stop
        all services: then no pod has host ports until it is attached again, which fails for that pod alone.
        """
        ports = published(self._records.all())
        try:
            self._writer().apply(self._desired_rules(state, ports))
        except RulesRefused as error:
            if not ports:
                raise
            self._writer().apply(self._desired_rules(state, ()))
            logger.warning("node %s: no host ports for now: %s", self._settings.node_name, error)
            for pod in self._records.all():
                self._records.put(replace(pod, ports=()))
            return ()
        return ports

    def _publish(self, links: Iterable[PodLink]) -> None:
        """Bring the rules to the host ports of these pods, if they changed. The first `apply` does it too."""
        ports = published(links)
        if self._state is not None and ports != self._ports:
            self._writer().apply(self._desired_rules(self._state, ports))
            self._forget_flows(self._state, ports)
            self._ports = ports

    def _desired_rules(self, state: NetworkState, ports: Sequence[PublishedPort]) -> dict[str, Table]:
        return ruleset(self._settings, state.services, dns=state.dns, host_ports=ports)

    def _changed_frontends(self, state: NetworkState, ports: Sequence[PublishedPort]) -> Frontends:
        before = () if self._state is None else self._state.services
        local: tuple[IPv4Address, ...] = (self._settings.node_address, self._settings.pod_cidr.network_address)
        if ports == self._ports:
            return changed_frontends(before, state.services, local)
        local = tuple(entry.interface.ip for entry in self._kernel.host.addresses())
        # Services come last: their node ports come before host ports in the rules.
        return changed_host_ports(self._ports, ports, local) | changed_frontends(before, state.services, local)

    def _forget_flows(self, state: NetworkState, ports: Sequence[PublishedPort]) -> None:
        """Delete conntrack entries of stale endpoints, after writing the rules, which decide about the next packet."""
        frontends = self._changed_frontends(state, ports)
        if not frontends:
            return
        try:
            flows = stale(self._kernel.flows({protocol for protocol, _, _ in frontends}), frontends)
            unanswered = {flow for flow in flows if flow.protocol == TCP}
            self._kernel.forget_flows([flow for flow in flows if flow not in unanswered])
            if unanswered:
                # An endpoint that left its service but still runs may be about to answer: keep such a connection.
                self._wait(_HANDSHAKE_S)
                self._kernel.forget_flows([flow for flow in self._kernel.flows({TCP}) if flow in unanswered])
        except OSError as error:
            # The entries expire when their clients pause, and the node works meanwhile.
            logger.warning("node %s: conntrack entries of stale endpoints stay: %s", self._settings.node_name, error)

    def _writer(self) -> RuleWriter:
        if self._rules is None:
            prefix = chain_names(self._settings.owner).prefix
            self._rules = RuleWriter(self._kernel.rule_tool(prefix), prefix)
        return self._rules

    def _write_other_variant(self) -> tuple[Repair, ...]:
        """Accept our packets in the other variant of iptables too, if others filter with it."""
        other = self._other_writer()
        return () if other is None else other.audit(accepting_rules(self._settings))

    def _other_writer(self) -> RuleWriter | None:
        """Looked up each time, because others may start or stop filtering at any time."""
        prefix = chain_names(self._settings.owner).prefix
        tool = self._kernel.other_variant_tool(prefix)
        return None if tool is None else RuleWriter(tool, prefix)

    def _pod_mtu(self, underlay_mtu: int) -> int:
        return self._backend.pod_mtu(underlay_mtu)

    def _underlay_mtu(self) -> int:
        """The MTU as of the last apply or audit: reading it again would take a quarter of the time of a new pod."""
        return self._mtu or self._mtu_in(self._kernel.host.snapshot())

    def _mtu_in(self, observed: Snapshot) -> int:
        """The MTU of the link that has the node's address. Raises NotThere."""
        for entry in observed.addresses:
            if entry.interface.ip == self._settings.node_address:
                link = observed.link(entry.link)
                if link is not None:
                    self._mtu = link.mtu
                    return link.mtu
        raise NotThere(99, f"no link of this host has the node's address {self._settings.node_address}")
