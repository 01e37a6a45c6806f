"""Reboots a host as a power loss does: all of it goes at once but its disk, and comes back by itself.

What a real host keeps in memory goes too: its network namespace, mounts, cgroups, the engine's runtime directories. The
cable is not part of the host: a host that is cut stays cut.
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
    """Power off, then start what is installed: engine and agent, or the master; the master need not be there.

    After an interruption it may be run again.
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
    """End every process of a host at once, and remove all that was in its memory."""
    state = lab.state.host(host)
    paths = lab.host_paths(host)
    running = lab.engine_processes(host)
    if running is not None:
        # First, or they would write down how their containers ended.
        lab.engine(host).kill(running)
    _kill_everything(lab, host)
    if state.role == "node":
        lab.engine(host).clean()
        for directory in lab.engine(host).runtime_directories:
            shutil.rmtree(directory, ignore_errors=True)
    sweep.unmount_below(paths.directory)
    underlay.remove_host(lab.layout, host)
    lab.file.update_host(host, lambda found: replace(found, processes={}))


def _kill_everything(lab: Lab, host: str) -> None:
    """Also what a dying process started in the meantime."""
    for _ in range(_ROUNDS):
        members = sweep.members_of_netns([lab.layout.host(host).netns])
        members += sweep.members_of_cgroup(lab.layout.host_cgroup(host))
        if not members:
            return
        sweep.kill_all(members)
    raise LeftOver(f"processes of {host} come again as fast as they are killed")
