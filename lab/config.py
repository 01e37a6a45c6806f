"""The configuration files of a lab's master and agents; master/config.py and agent/config.py define the settings.

Owns the lab's choices: short periods, so that a fault shows within seconds, and each node's share of the machine.
"""

import os
from dataclasses import dataclass

from hull import settings
from lab.layout import Layout
from lab.state import HostState, LabState

API_PORT = 6443
SESSION_PORT = 6444


@dataclass(frozen=True, slots=True)
class Periods:
    """They decide how fast the master notices a silent node. Kubernetes' defaults are 10, 40 and 300 s."""

    heartbeat_s: float = 1.0
    grace_s: float = 5.0
    eviction_s: float = 2.0


KUBERNETES_PERIODS = Periods(heartbeat_s=10.0, grace_s=40.0, eviction_s=300.0)


def master_toml(layout: Layout, state: LabState, periods: Periods) -> str:
    """The master listens on all addresses of its host; its certificate has the address on the underlay."""
    host = layout.host(state.master.name)
    return settings.to_toml(
        {
            "data_dir": str(host.master_data),
            "listen_address": "0.0.0.0",
            "api_port": API_PORT,
            "session_port": SESSION_PORT,
            "advertise_addresses": [str(state.master.address)],
            "heartbeat_s": periods.heartbeat_s,
            "grace_s": periods.grace_s,
            "eviction_s": periods.eviction_s,
            "bootstrap_token_file": str(host.etc / "bootstrap-token"),
        }
    )


def agent_toml(layout: Layout, state: LabState, node: HostState) -> str:
    """The agent uses its host's engine and reports an equal share of the machine as its capacity."""
    host = layout.host(node.name)
    share = max(1, len(state.nodes))
    return settings.to_toml(
        {
            "state_dir": str(host.agent_state),
            "node_name": node.name,
            "engine_socket": str(host.engine_socket),
            "master": f"https://{state.master.address}:{API_PORT}",
            "node_address": str(node.address),
            "host_path_root": str(host.volumes_root),
            # No route leads out: a name of the world outside is refused at once.
            "resolv_conf": str(host.etc / "resolv.conf"),
            "cgroup_parent": layout.host_cgroup(node.name),
            "capacity_cpu_millis": (os.cpu_count() or 1) * 1000 // share,
            "capacity_memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // share,
            "labels": {"kubernetes.io/hostname": node.name},
        }
    )
