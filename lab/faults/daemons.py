"""Faults of a host's daemons: stop, kill and freeze the agent, the master or the engine, and start them again."""

from typing import Literal

from hull import processes
from hull.processes import ProcessRecord
from lab.cluster import AGENT, MASTER, Cluster
from lab.errors import LabError, NotFound
from lab.hosts.engine import EngineProcesses

Target = Literal["agent", "master", "engine"]


def stop(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Stop cleanly (SIGTERM). Stopping an engine ends its containers; stopping an agent leaves them running."""
    if resolve(cluster, host, target) == "engine":
        _engine(cluster, host)
        cluster.lab.stop_engine(host)
    else:
        processes.stop(_running(cluster, host))


def kill(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Kill (SIGKILL), as a crash does. Containers keep running, whatever the target."""
    if resolve(cluster, host, target) == "engine":
        _engine(cluster, host)
        cluster.lab.kill_engine(host)
    else:
        processes.kill(_running(cluster, host))


def pause(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Freeze (SIGSTOP): the process keeps its sockets and does nothing until `resume`."""
    for record in _records(cluster, host, target):
        processes.pause(record)


def resume(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Continue a frozen process."""
    for record in _records(cluster, host, target):
        processes.resume(record)


def start(cluster: Cluster, host: str, target: Target | None = None) -> None:
    """Start what was stopped or killed; leaves alone what runs."""
    match resolve(cluster, host, target):
        case "engine":
            cluster.lab.start_engine(host)
        case "master":
            cluster.start_master()
        case "agent":
            cluster.start_agent(host)


def resolve(cluster: Cluster, host: str, target: Target | None) -> Target:
    role = cluster.lab.state.host(host).role
    default: Target = "master" if role == "master" else "agent"
    if target is None or target == default:
        return default
    if target == "engine" and role == "node":
        return target
    raise LabError(f"host {host} has no {target}")


def _running(cluster: Cluster, host: str) -> ProcessRecord:
    record = cluster.record(host)
    if record is None:
        daemon = MASTER if cluster.lab.state.host(host).role == "master" else AGENT
        raise NotFound(f"the {daemon} of {host} does not run")
    return record


def _records(cluster: Cluster, host: str, target: Target | None) -> list[ProcessRecord]:
    if resolve(cluster, host, target) != "engine":
        return [_running(cluster, host)]
    engine = _engine(cluster, host)
    return [engine.dockerd, engine.containerd]


def _engine(cluster: Cluster, host: str) -> EngineProcesses:
    engine = cluster.lab.engine_processes(host)
    if engine is None:
        raise NotFound(f"the engine of {host} does not run")
    return engine
