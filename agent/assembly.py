"""Makes the agent's parts and connects them: the only module that knows all of them.

Owns the choice of implementations (Docker, netstack). Imported late, as its imports take long to load.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from agent import host, resolvconf
from agent.clock import Clock
from agent.config import AgentConfig
from agent.desired.state import DesiredState
from agent.dnsprocess import DnsProcess
from agent.identity.files import Identity
from agent.network import AgentNetwork
from agent.node import Node
from agent.pods.hostports import ports_of_node
from agent.pods.interface import HostSecurity, ImageVerification, PodsConfig
from agent.pods.manager import PodManager
from agent.probes.prober import NodeProber
from agent.relay.relay import Relay
from agent.runtime.docker import DockerRuntime
from agent.session.renewal import Renewal
from agent.session.reporter import ReportQueue
from agent.session.session import SessionLoop
from agent.session.tokens import SessionTokens
from agent.shutdown import Shutdown
from agent.usage.cadvisor import Facts
from agent.usage.meter import Meter
from agent.usagepages import add_pages
from agent.vitals import Vitals
from agent.volumes.binds import KernelBinds
from agent.volumes.manager import Volumes
from agent.volumes.memory import TmpfsFiles
from hull import mounts
from netstack.monitor import DriftMonitor
from netstack.node import NodeNetwork
from netstack.overlay import vxlan
from netstack.pods import host_link_name
from netstack.rulesmonitor import RulesMonitor

log = logging.getLogger(__name__)


def assemble(
    config: AgentConfig, identity: Identity, clock: Clock, stack: AsyncExitStack
) -> tuple[Node, SessionLoop, Shutdown]:
    """The node, its session and its shutdown, ready to run; `stack` closes the resources that they hold."""
    desired = DesiredState()
    reports = ReportQueue(desired.ref)
    vitals = Vitals(config)
    runtime = DockerRuntime(config.engine_socket)
    stack.push_async_callback(runtime.close)
    node = Node(
        config,
        identity.cluster_id,
        desired=desired,
        events=reports,
        runtime=runtime,
        vitals=vitals,
        clock=clock,
    )
    relay = Relay(clock, on_problem=node.port_not_open)
    network = _network(config, node, relay, clock)
    stack.push_async_callback(network.aclose)
    settings = _settings(config, identity, vitals)
    volumes = Volumes(
        state_dir=config.state_dir,
        host_path_root=config.host_path_root,
        memory=TmpfsFiles(),
        binds=KernelBinds(),
        node=settings.node,
    )
    prober = NodeProber(runtime.exec, clock)
    tokens = SessionTokens()
    pods = PodManager(
        runtime, network, volumes, reports, clock, settings, prober=prober, processes=runtime.exec, tokens=tokens
    )
    dns = DnsProcess(
        lambda: resolvconf.of_host(config.resolv_conf).nameservers,
        clock,
        config.state_dir / "dns.pid",
        on_problem=node.dns_failed,
    )
    meter = Meter(config.node_name, config.state_dir, clock, link_of=host_link_name)
    node.connect(pods, network, dns, meter, relay)
    add_pages(
        node.queries,
        lambda: meter.snapshot,
        facts=lambda: Facts(host.machine_id(config.state_dir), host.boot_id()),
        version=host.agent_version(),
    )
    session = SessionLoop(Renewal(identity, config.state_dir, clock), node, desired, reports, clock, tokens=tokens)
    return node, session, Shutdown(config, node, pods, reports, clock)


def _network(config: AgentConfig, node: Node, relay: Relay, clock: Clock) -> AgentNetwork:
    return AgentNetwork(
        NodeNetwork,
        clock=clock,
        audit_s=config.audit_s,
        on_repairs=node.network_mended,
        on_health=node.network_health,
        relay=relay,
        monitor=DriftMonitor,
        rules_monitor=RulesMonitor,
    )


def _settings(config: AgentConfig, identity: Identity, vitals: Vitals) -> PodsConfig:
    if config.container_pids_limit and not host.has_pids_controller():
        log.warning("container_pids_limit has no effect: the kernel has no cgroup controller for pids")
    return PodsConfig(
        cluster_id=identity.cluster_id,
        node_name=config.node_name,
        state_dir=config.state_dir,
        pause_image=config.pause_image,
        resolv_conf=config.resolv_conf,
        host_root=config.host_path_root,
        memory_bytes=host.memory_bytes(),
        node=vitals.capacity(),
        cgroup_parent=config.cgroup_parent,
        security=HostSecurity(
            apparmor=host.has_apparmor(),
            selinux=host.has_selinux(),
            seccomp=host.has_seccomp(),
            read_only_trees=mounts.has_read_only_trees(),
            lowers_oom_scores=host.may_lower_oom_scores(config.engine_socket),
            unsafe_sysctls=config.allowed_unsafe_sysctls,
        ),
        longest_container_backoff_s=config.longest_container_backoff_s,
        container_pids=config.container_pids_limit,
        image_verification=ImageVerification(
            config.image_pull_credentials_verification, config.preloaded_images_verification_allowlist
        ),
        node_ports=ports_of_node(
            overlay=vxlan.PORT, masters=(config.master, identity.session_address), addresses=host.addresses()
        ),
    )
