"""What a fault of the network may not touch: a workload on each node, open connections, and what everything was before.

`Observer.undisturbed` holds connections open while a test spoils the network, and compares in the end: the same pods
and containers, nothing evicted, the same rules and links, every service answered from everywhere, quiet logs.
"""

from __future__ import annotations

import difflib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.errors import NotFound
from client.rest import RestClient
from lab.cluster import Cluster
from netrig.plugin import eventually
from netrig.probe import Outcome, Prober, ask
from netstack import namespaces
from netstack.network import open_network
from tests.cluster.exact import differences, items, network_of
from tests.cluster.manifests import pod, replication_controller, service, shell
from tests.cluster.repeats import repeated
from tests.hosts import engine_of

NODES = ("node1", "node2", "node3")
HOSTS = ("master", *NODES)
NAMESPACE = "/api/v1/namespaces/default"
PORT = 80
ECHO = shell("exec nc -ll -p 8080 -e /bin/sh -c 'read question; hostname; exec cat'")
"""Says its pod's name, then sends back what it hears for as long as the connection stays."""
A_FEW = 3
POD_COUNT = "the master has the statuses of # pods"
"""An agent logs it when a pod comes, and when it goes."""


class Talk:
    """A connection from the pod of one node through a service to the pod of another one."""

    def __init__(self, source: str, target: str, stream: socket.socket) -> None:
        self.source, self.target = source, target
        self._stream = stream
        self._stream.sendall(b"who are you?\n")
        assert self._read_line() == f"echo-{target}\n".encode()

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"

    def exchange(self, size: int, *, timeout_s: float = 60.0) -> None:
        """Sends `size` random bytes, and expects them back."""
        sent = os.urandom(size)
        self._stream.settimeout(timeout_s)
        sender = threading.Thread(target=self._stream.sendall, args=(sent,), daemon=True)
        sender.start()
        back = bytearray()
        try:
            while len(back) < size and (chunk := self._stream.recv(1 << 16)):
                back += chunk
        except OSError as error:
            raise AssertionError(f"{self}: {len(back)} of {size} bytes came back, then {error!r}") from error
        sender.join()
        assert bytes(back) == sent, f"{self}: {len(back)} of {size} bytes came back"

    def _read_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n") and (byte := self._stream.recv(1)):
            line += byte
        return line


@dataclass(frozen=True, slots=True)
class Seen:
    """A cluster at one moment, by what has to be the same afterwards."""

    pods: frozenset[tuple[str, str, str]]
    """Name, uid and node."""
    containers: frozenset[tuple[str, str, str]]
    """Host, id and start time of what runs."""
    networks: tuple[str, ...]
    """The network of each node, as text."""


class Observer:
    """One cluster with the workload."""

    def __init__(self, cluster: Cluster, api: RestClient, *, grace_s: float) -> None:
        self.cluster = cluster
        self.api = api
        self._grace_s = grace_s
        self.addresses: dict[str, str] = {}
        """By node: the address of the service whose only pod is there."""
        self.pids: dict[str, int] = {}
        """By node: the process of that pod's sandbox, whose network is the pod's."""
        self._logged: dict[str, int] = {}
        self._until_end = ExitStack()
        self._extra: set[str] = set()
        self._made = 0

    def deploy(self) -> None:
        """On each node a pod with a service of its own; and a controller's pods on any."""
        for node in NODES:
            self._create(pod(f"echo-{node}", labels={"app": f"echo-{node}"}, container=ECHO, nodeName=node))
            self._create(service(f"echo-{node}", app=f"echo-{node}", port=PORT))
        self._create(replication_controller("web", 3, container=ECHO))
        self._create(service("web", app="web", port=PORT))
        eventually(lambda: all(each["status"]["phase"] == "Running" for each in items(self.api, "pods")), within_s=60)
        for node in NODES:
            self.addresses[node] = self.api.get(f"{NAMESPACE}/services/echo-{node}")["spec"]["clusterIP"]
            self.pids[node] = self.cluster.pod("default", f"echo-{node}")
        eventually(lambda: self._as_declared() == [], within_s=60)

    def pod(self, name: str, node: str, **spec: Any) -> None:
        """Another pod, which runs when this returns. Within `undisturbed`; the test removes it, with `remove`."""
        self._extra.add(name)
        self._made += 1
        self._create(pod(name, labels={"app": name}, container=ECHO, nodeName=node, **spec))
        eventually(lambda: self.status(name)["phase"] == "Running", within_s=60)

    def container(self, name: str) -> tuple[str, str]:
        """Node and Docker id of a pod's container."""
        found = self.api.get(f"{NAMESPACE}/pods/{name}")
        return found["spec"]["nodeName"], found["status"]["containerStatuses"][0]["containerID"].removeprefix(
            "docker://"
        )

    def kill(self, node: str, container: str) -> None:
        with engine_of(self.cluster, node) as engine:
            engine.kill(container)

    def restarts(self, name: str) -> int:
        return int(self.status(name)["containerStatuses"][0]["restartCount"])

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.api.get(f"{NAMESPACE}/pods/{name}")["status"])

    def remove(self, *names: str) -> None:
        for name in names:
            with suppress(NotFound):
                self.api.delete(f"{NAMESPACE}/pods/{name}")
        eventually(lambda: not set(names) & {each["metadata"]["name"] for each in items(self.api, "pods")})
        self._extra -= set(names)

    def talk(self, source: str, target: str) -> Talk:
        """A new connection, until the end of `undisturbed`. Raises OSError when there is none. Asks no API."""
        where, address = namespaces.of_pid(self.pids[source]), (self.addresses[target], PORT)
        stream = namespaces.run_in(where, lambda: socket.create_connection(address, timeout=5.0))
        self._until_end.callback(stream.close)
        return Talk(source, target, stream)

    def talks(self) -> list[Talk]:
        """New ones between all nodes, both ways."""
        return [self.talk(source, target) for source in NODES for target in NODES if source != target]

    def prober(self, node: str) -> Prober:
        """In the node's pod."""
        return Prober(self.pids[node], name=f"a pod on {node}")

    def pod_mtu(self, node: str) -> int:
        """At the pod's own end of its link."""
        with open_network(namespaces.of_pid(self.pids[node])) as network:
            return next(link.mtu for link in network.links() if link.name == "eth0")

    def endpoints(self, name: str) -> list[str]:
        subsets = self.api.get(f"{NAMESPACE}/endpoints/{name}").get("subsets") or []
        return [each["ip"] for subset in subsets for each in subset.get("addresses") or []]

    def ready(self, node: str) -> tuple[str, str]:
        """The status of the node's Ready condition, and since when."""
        conditions = self.api.get(f"/api/v1/nodes/{node}")["status"]["conditions"]
        found = next(each for each in conditions if each["type"] == "Ready")
        return found["status"], found["lastTransitionTime"]

    def events(self, reason: str) -> dict[str, int]:
        """How often it happened to which object."""
        found = [each for each in items(self.api, "events") if each["reason"] == reason]
        return {each["involvedObject"]["name"]: each["count"] for each in found}

    def log(self, host: str) -> list[str]:
        """What the host's master or agent logged since the fault began."""
        return self.cluster.log(host).read_text().splitlines()[self._logged.get(host, 0) :]

    def told(self, host: str, text: str) -> int:
        """How many of these lines have this in them."""
        return sum(text in line for line in self.log(host))

    def connections(self, node: str) -> int:
        """How many TCP connections to the session port the master's host holds for an agent."""
        master = self.cluster.lab.state.master
        address = self.cluster.lab.state.host(node).address
        found = self.cluster.host(master.name).run(["ss", "-Htn", "state", "established", "sport", "=", "6444"]).stdout
        return found.count(f"{address}]:") + found.count(f"{address}:")

    def usage(self, host: str) -> tuple[int, int]:
        """Descriptors and threads of a host's master or agent. Unix sockets apart: the engine's client keeps a pool."""
        record = self.cluster.record(host)
        assert record is not None, f"{host}: it does not run"
        process = Path(f"/proc/{record.pid}")
        unix = {line.split()[6] for line in (process / "net" / "unix").read_text().splitlines()[1:]}
        open_files = [str(each.readlink()) for each in (process / "fd").iterdir()]
        others = [each for each in open_files if not (each.startswith("socket:[") and each[8:-1] in unix)]
        return len(others), len(list((process / "task").iterdir()))

    @contextmanager
    def undisturbed(self) -> Iterator[list[Talk]]:
        """Connections between all nodes; at the end, when the fault is healed, all must be as it was."""
        self.remove(*self._extra)  # what a test that failed left
        before = self._look()
        self._logged = {}
        self._logged = {host: len(self.log(host)) for host in HOSTS}
        self._made, began = 0, time.monotonic()
        with ExitStack() as self._until_end:
            yield (talks := self.talks())
            eventually(lambda: [self.ready(node)[0] for node in NODES] == ["True"] * 3, within_s=60)
            eventually(lambda: self._as_declared() == [], within_s=60)
            for talk in talks:
                talk.exchange(1000)
        self._assert_same(before)
        for host in HOSTS:
            self._assert_quiet(host, time.monotonic() - began)

    def _create(self, obj: dict[str, Any]) -> None:
        plural = f"{obj['kind'].lower()}s"
        self.api.create(f"{NAMESPACE}/{plural}", obj)

    def _as_declared(self) -> list[str]:
        """What is otherwise than declared; an AssertionError, so that a wait that is over tells it."""
        found = differences(self.cluster, self.api) or list(self._unanswered())
        assert not found, "\n".join(found)
        return found

    def _unanswered(self) -> Iterator[str]:
        """Services that packets do not find, from each node and from its pod. One by one: the server's queue is 2."""
        for node in NODES:
            for where in (str(self.cluster.lab.host_paths(node).netns), self.pids[node]):
                for each in items(self.api, "services"):
                    if app := (each["spec"].get("selector") or {}).get("app"):
                        found = Prober(where, name=node).one(ask(each["spec"]["clusterIP"], PORT, timeout_s=2.0))
                        if found.outcome is not Outcome.REPLY or not found.server.startswith(app):
                            yield f"service {app}: {found}"

    def _look(self) -> Seen:
        pods = [
            (each["metadata"]["name"], each["metadata"]["uid"], each["spec"]["nodeName"])
            for each in items(self.api, "pods")
        ]
        containers = []
        for node in NODES:
            with engine_of(self.cluster, node) as engine:
                for each in engine.containers():
                    started = engine.inspect_container(each["Id"])["State"]["StartedAt"]
                    containers.append((node, each["Id"], started))
        networks = tuple(network_of(self.cluster, node) for node in NODES)
        return Seen(frozenset(pods), frozenset(containers), networks)

    def _assert_same(self, before: Seen) -> None:
        now = self._look()
        assert now.pods == before.pods, "pods were replaced"
        assert now.containers == before.containers, "containers were restarted"
        for node, was, is_now in zip(NODES, before.networks, now.networks, strict=True):
            changed = difflib.unified_diff(was.splitlines(), is_now.splitlines(), lineterm="", n=0)
            assert was == is_now, f"network of {node}:\n" + "\n".join(changed)
        assert self.events("TaintManagerEviction") == {}

    def _assert_quiet(self, host: str, fault_s: float) -> None:
        """No message came back without end. How many there are depends on the fault and on the machine's pace.

        What the fault makes come back comes with a session: an agent gives one up after half the grace period without
        an answer, and logs an attempt that fails like the one before only once. What is logged at each attempt, at each
        heartbeat (every second) or by a loop is more.
        """
        lines = self.log(host)
        assert "Traceback" not in "\n".join(lines), f"{host}: {lines}"
        most = A_FEW + fault_s / (self._grace_s / 2)
        too_many = {
            message: times
            for message, times in repeated(lines, most).items()
            if not message.endswith(POD_COUNT) or times > most + 2 * self._made
        }
        assert not too_many, f"{host} logged a message more than {most:.0f} times in {fault_s:.0f} s: {too_many}"
