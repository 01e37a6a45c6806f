"""Reboots a host as a power loss does: everything but its disk is lost at once, and its daemons start again.

What a real host has in memory is lost too: its network namespace, mounts, cgroups, the engine's runtime directories.
Faults of the cable stay, as the cable is not part of the host.
"""

import shutil
from dataclasses import replace

from hull import sweep
from hull.errors import LeftOver
from lab.cluster import Cluster
from lab.lab import Lab
from lab.network import underlay

_ROUNDS = 5


def reboot(cluster: Cluster, host: str) -> None:
    """Power off, then start the installed daemons: engine and agent, or the master. An agent needs no master for it.

    After an interruption it may be called again.
    """
    lab = cluster.lab
    power_off(lab, host)
    state = lab.state
    underlay.create_hosts(lab.layout, state.subnet, [state.host(host)])
    paths = lab.host_paths(host)
    if state.host(host).role == "master":
        if (paths.etc / "master.toml").exists():
            cluster.start_master()
        return
    if lab.engine(host).was_started:
        lab.start_engine(host)
    if (paths.etc / "agent.toml").exists():
        cluster.start_agent(host)


def power_off(lab: Lab, host: str) -> None:
    """Kill all processes of a host and remove everything that was in its memory."""
    state = lab.state.host(host)
    paths = lab.host_paths(host)
    running = lab.engine_processes(host)
    if running is not None:
        # First, so that they cannot record the end of their containers.
        lab.engine(host).kill(running)
    _kill_everything(lab, host)
    if state.role == "node":
        lab.engine(host).clean()
        for directory in lab.engine(host).runtime_directories:
            shutil.rmtree(directory, ignore_errors=True)
    sweep.unmount_below(paths.directory)
    underlay.remove_host(lab.layout, host)
    lab.file.update_host(host, lambda state: replace(state, processes={}))


def _kill_everything(lab: Lab, host: str) -> None:
    """In rounds, as a dying process may have started others. Raises LeftOver."""
    for _ in range(_ROUNDS):
        members = sweep.members_of_netns([lab.layout.host(host).netns])
        members += sweep.members_of_cgroup(lab.layout.host_cgroup(host))
        if not members:
            return
        sweep.kill_all(members)
    raise LeftOver(f"processes of {host} reappear as fast as they are killed")
