"""The cluster of a lab: the master and the agents as processes on its hosts. Agents join by a token made beforehand.

Starts the processes and finds them again. The master's REST API reports readiness.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from client.errors import ClientError
from client.kubeconfig import load_kubeconfig
from client.rest import RestClient
from client.tokens import make_token
from client.trust import public_key_hash
from hull import atomicfile, processes, sweep
from hull.errors import StartFailed
from hull.processes import ProcessRecord
from lab.config import Periods, agent_toml, master_toml
from lab.environment import clean_environment
from lab.errors import LabError, NotFound
from lab.hosts import clock, engine_api
from lab.lab import Lab, in_parallel
from lab.layout import HostPaths
from lab.state import HostState
from netrig.topology.model import Kind, NodeSpec
from netrig.topology.node import Node

MASTER, AGENT = "master", "agent"
_OWN_COMMAND = (sys.executable, "-P", "-m", "cli")
_START_TIMEOUT_S = 20.0


class Cluster:
    """The cluster of one lab, whose hosts and engines must exist (`Lab.create`, `Lab.start_engines`).

    `command`: the `sampan` command for the hosts; by default the one of this Python.
    """

    def __init__(self, lab: Lab, *, periods: Periods | None = None, command: Sequence[str] = ()) -> None:
        self.lab = lab
        self.periods = periods or Periods()
        self.command = tuple(command)

    @property
    def kubeconfig(self) -> Path:
        return self.lab.layout.kubeconfig

    def start(self) -> None:
        """Start the daemons that do not run: the master and, as soon as its certificates exist, all agents."""
        self.start_master()
        in_parallel([node.name for node in self.lab.state.nodes], self.start_agent)

    def start_master(self) -> None:
        """Start the master unless it runs, and wait until its certificates and its kubeconfig are written."""
        state = self.lab.state
        host = self.lab.layout.host(state.master.name)
        recorded = state.master.processes.get(MASTER)
        if recorded is not None and processes.alive(recorded):
            self._wait_for_kubeconfig(host, recorded)
            return
        host.etc.mkdir(parents=True, exist_ok=True)
        token = host.etc / "bootstrap-token"
        if not token.exists():
            atomicfile.write(token, make_token() + "\n")
        config = host.etc / "master.toml"
        if not config.exists():
            atomicfile.write(config, master_toml(self.lab.layout, state, self.periods))
        running = self._start(state.master, MASTER, config)
        self._wait_for_kubeconfig(host, running)

    def start_agent(self, name: str) -> None:
        """Start a node's agent unless it runs. At its first start it joins by the lab's token."""
        state = self.lab.state
        node = state.host(name)
        if node.role != "node":
            raise LabError(f"host {name} has no agent: it is not a node")
        recorded = node.processes.get(AGENT)
        if recorded is not None and processes.alive(recorded):
            return
        host = self.lab.layout.host(name)
        config = host.etc / "agent.toml"
        host.etc.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            atomicfile.write(config, agent_toml(self.lab.layout, state, node))
        join = host.etc / "join-token"
        if not join.exists():
            atomicfile.write(join, self._join_text())
        self._start(node, AGENT, config, "--join-token-file", str(join))

    def record(self, name: str) -> ProcessRecord | None:
        """The process of the host's master or agent; None if it does not run."""
        host = self.lab.state.host(name)
        recorded = host.processes.get(MASTER if host.role == "master" else AGENT)
        return recorded if recorded is not None and processes.alive(recorded) else None

    def client(self) -> RestClient:
        """A client with the administrator's certificate; close it."""
        return RestClient(load_kubeconfig(self.kubeconfig))

    def wait_api(self, *, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Wait until the API reports that it is ready. Raises StartFailed."""
        with self.client() as client:
            for _ in processes.until(timeout_s):
                try:
                    client.get_text("/readyz", timeout_s=2.0)
                    return
                except ClientError as error:
                    self._raise_if_dead(error)
        raise StartFailed(f"the API does not answer after {timeout_s:.0f} s{self._tail(self.lab.state.master)}")

    def wait_nodes(self, *, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Wait until every node is Ready, except those that are cut off from the master. Raises StartFailed."""
        expected = {node.name for node in self.lab.state.nodes if not node.off_master}
        missing = set(expected)
        with self.client() as client:
            for _ in processes.until(timeout_s, 0.02):
                try:
                    missing = expected - set(_ready_nodes(client))
                except ClientError as error:
                    self._raise_if_dead(error)
                if not missing:
                    return
                self._raise_if_agent_ended(missing)
        first = self.lab.state.host(min(missing))
        raise StartFailed(f"not Ready after {timeout_s:.0f} s: {', '.join(sorted(missing))}{self._tail(first)}")

    def host(self, name: str) -> Node:
        """A host as a node of a topology, to run commands, probe and capture there."""
        state = self.lab.state.host(name)
        return Node(NodeSpec(state.name, Kind.HOST, self.lab.layout.netns_name(state.name)))

    def pod(self, namespace: str, name: str) -> int:
        """The pid of a pod's pause process, whose network namespace is the pod's. Raises NotFound if none runs."""
        with self.client() as client:
            pod = client.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        node = pod["spec"].get("nodeName") or ""
        if not node:
            raise NotFound(f"pod {namespace}/{name} is not bound to a node")
        return engine_api.sandbox_pid(self.lab.engine(node).paths.engine_socket, pod["metadata"]["uid"])

    def log(self, host: str) -> Path:
        """The log file of the host's master or agent."""
        role = self.lab.state.host(host).role
        return self.lab.layout.host(host).logs / f"{MASTER if role == 'master' else AGENT}.log"

    def _start(self, host: HostState, daemon: str, config: Path, *arguments: str) -> ProcessRecord:
        paths = self.lab.layout.host(host.name)
        sweep.end_unrecorded(paths.netns, config)
        environment = clean_environment(XTABLES_LOCKFILE=str(paths.xtables_lock), HOME=str(paths.directory))
        environment |= clock.environment(paths)
        if self.command:
            del environment["PYTHONPATH"]  # another installation has its own packages
        running = processes.start(
            # -P: the current directory must not shadow our packages.
            [*(self.command or _OWN_COMMAND), daemon, "--config", str(config), *arguments],
            log=paths.logs / f"{daemon}.log",
            env=environment,
            netns=paths.netns,
        )
        self.lab.file.update_host(host.name, lambda state: state.with_process(daemon, running))
        return running

    def _wait_for_kubeconfig(self, host: HostPaths, running: ProcessRecord) -> None:
        written = host.master_data / "admin.kubeconfig"
        for _ in processes.until(_START_TIMEOUT_S):
            if written.exists():
                break
            if not processes.alive(running):
                raise StartFailed(f"the master ended at start-up{processes.tail(host.logs / 'master.log')}")
        else:
            raise StartFailed(f"the master did not write {written}{processes.tail(host.logs / 'master.log')}")
        if not self.kubeconfig.is_symlink():
            self.kubeconfig.symlink_to(written.relative_to(self.kubeconfig.parent))

    def _join_text(self) -> str:
        """The content of an agent's join file: the token, and the hash that identifies the master's CA."""
        host = self.lab.layout.host(self.lab.state.master.name)
        token = (host.etc / "bootstrap-token").read_text().strip()
        authority = (host.master_data / "pki" / "ca.crt").read_bytes()
        return f"{token}\n{public_key_hash(authority)}\n"

    def _raise_if_dead(self, error: ClientError) -> None:
        master = self.lab.state.master
        if self.record(master.name) is None:
            raise StartFailed(f"the master ended{self._tail(master)}") from error

    def _raise_if_agent_ended(self, missing: set[str]) -> None:
        for name in sorted(missing):
            if self.record(name) is None:
                raise StartFailed(f"the agent of {name} ended{self._tail(self.lab.state.host(name))}")

    def _tail(self, host: HostState) -> str:
        return processes.tail(self.log(host.name))


def _ready_nodes(client: RestClient) -> list[str]:
    names = []
    for node in client.get("/api/v1/nodes")["items"]:
        conditions = node.get("status", {}).get("conditions", [])
        if any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
            names.append(node["metadata"]["name"])
    return names
