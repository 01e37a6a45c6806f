"""Two virtual machines as one cluster, seen from the tests: its making, its API, its pods, what runs on its hosts."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from cli.progress import Progress
from client.errors import ClientError
from client.kubeconfig import load_kubeconfig
from client.rest import RestClient
from lab.images.recipes import IMAGES
from lab.vm import VirtualMachine, VmBed
from lab.vm.recipe import SEED
from netstack import namespaces
from tests.cluster.waiting import eventually
from tests.machine.hosts import ADMIN

T = TypeVar("T")
Document = dict[str, Any]

SLOW_S: Final = 600.0
"""Bound of any one thing that is waited for: the machines may share their cores with whatever else runs here."""
PODS: Final = "/api/v1/namespaces/default/pods"
CONTROLLERS: Final = "/api/v1/namespaces/default/replicationcontrollers"
SERVICES: Final = "/api/v1/namespaces/default/services"
WEB_PORT: Final = 8080


class VmCluster:
    """`master` is a node as well."""

    def __init__(self, bed: VmBed, progress: Progress) -> None:
        self.bed = bed
        self.step = progress.step
        self.master, self.node = bed.machines
        self.before: dict[str, list[Document]] = {}
        """Of each machine what `sampan check` found before it joined."""

    @property
    def hosts(self) -> tuple[VirtualMachine, VirtualMachine]:
        return self.master, self.node

    def install(self) -> None:
        """From the bundles, without any network."""
        with self.step("images"):
            self.on_both(self._load_images)
        with self.step("install"):
            self.on_both(lambda host: host.run(f"{SEED}/bundle/install", "agent", timeout_s=120))
            self.master.run(f"{SEED}/bundle/install", "master", timeout_s=120)

    def join(self) -> None:
        """With forwarding off, which a container engine turns on for itself alone."""
        with self.step("check"):
            self.on_both(lambda host: host.run("sysctl", "-w", "net.ipv4.ip_forward=0"))
            self.on_both(self._check)
        with self.step("join"):
            words = self.master.says("sampan", "token", "create", "--kubeconfig", ADMIN).split()
            self.on_both(lambda host: host.run(*words, "--timeout", f"{SLOW_S:.0f}", timeout_s=120))

    def _load_images(self, host: VirtualMachine) -> None:
        for image in IMAGES[:2]:
            directory = f"{SEED}/images/{image.name.replace('/', '-')}"
            changes = [f"ENTRYPOINT {json.dumps(image.entrypoint)}", f"CMD {json.dumps(image.command)}"]
            options = [part for change in changes for part in ("--change", change)]
            host.run("docker", "import", *options, f"{directory}/layer.tar.gz", image.reference)

    def _check(self, host: VirtualMachine) -> None:
        self.before[host.name] = findings(host)

    def on_both(self, work: Callable[[VirtualMachine], T]) -> dict[str, T]:
        """Side by side; by the machines' names. Raises the first failure of the two."""
        with ThreadPoolExecutor() as pool:
            running = {host.name: pool.submit(work, host) for host in self.hosts}
            return {name: each.result() for name, each in running.items()}

    def api(self, ask: Callable[[RestClient], T]) -> T:
        """As the administrator, from the machines' wire."""
        kubeconfig = Path(self.bed.directory, "admin.kubeconfig")
        if not kubeconfig.exists():
            kubeconfig.write_text(self.master.says("cat", ADMIN))

        def body() -> T:
            with RestClient(load_kubeconfig(kubeconfig)) as client:
                return ask(client)

        return namespaces.run_in(self.bed.namespace, body)

    def get(self, path: str) -> Document:
        return self.api(lambda client: client.get(path))

    def create(self, path: str, body: Document) -> Document:
        return self.api(lambda client: client.create(path, body))

    def delete(self, path: str) -> None:
        self.api(lambda client: client.delete(path))

    def scale(self, name: str, replicas: int) -> None:
        self.api(lambda client: client.patch(f"{CONTROLLERS}/{name}", {"spec": {"replicas": replicas}}))

    def pods(self, **labels: str) -> list[Document]:
        """Those with these labels, also those on their way out."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        found: list[Document] = self.api(lambda client: client.get(PODS, {"labelSelector": selector}))["items"]
        return found

    def is_ready(self, path: str) -> bool:
        """Whether the object is Ready; an API that is away says no."""
        try:
            return ready(self.get(path))
        except ClientError:
            return False

    def wait_ready(self, number: int, **labels: str) -> list[Document]:
        """That many pods with these labels, all of them Ready, and no others."""

        def look() -> list[Document]:
            found = self.pods(**labels)
            assert len(found) == number and all(map(ready, found)), [summary(pod) for pod in found]
            return found

        return in_time(look)

    def fetch(self, address: str, port: int = WEB_PORT) -> dict[str, str]:
        """What a web pod says, asked from outside of the cluster: `pod`, `podIP`, `client`. Empty without an answer."""
        return namespaces.run_in(self.bed.namespace, lambda: _fetch(address, port))

    def fetch_in(self, pod: Document, address: str, port: int = WEB_PORT) -> dict[str, str]:
        """The same, asked by a pod."""
        host = next(host for host in self.hosts if host.name == pod["spec"]["nodeName"])
        container = container_of(pod)
        request = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 60 {address} {port}"
        return _fields(host.says("docker", "exec", container, "sh", "-c", request))


def in_time(look: Callable[[], T]) -> T:
    """The first true value of `look`, as everything here is waited for."""
    return eventually(look, timeout_s=SLOW_S, period_s=1.0)


def findings(host: VirtualMachine) -> list[Document]:
    """What `sampan check` finds."""
    found: list[Document] = json.loads(host.run("sampan", "check", "-o", "json", check=False).stdout)
    return found


def containers(host: VirtualMachine, *options: str) -> list[str]:
    """Name, id and start of each container that runs there; `--all`: also of those that ended."""
    ids = host.says("docker", "ps", "--quiet", "--no-trunc", *options).split()
    if not ids:
        return []
    template = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
    # One may go in between: then it is not told, and the command fails.
    return sorted(host.run("docker", "inspect", "--format", template, *ids, check=False).stdout.splitlines())


def container_of(pod: Document) -> str:
    """The id of a pod's one container at its engine."""
    (status,) = pod["status"]["containerStatuses"]
    return str(status["containerID"]).removeprefix("docker://")


def ready(found: Document) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def summary(pod: Document) -> str:
    """One pod for a failure's message."""
    status = pod.get("status", {})
    leaving = " leaving" if pod["metadata"].get("deletionTimestamp") else ""
    waiting = [each.get("state") for each in status.get("containerStatuses", [])]
    where = pod["spec"].get("nodeName", "nowhere")
    return f"{pod['metadata']['name']} on {where}: {status.get('phase')}{leaving} ready={ready(pod)} {waiting}"


def controller(name: str, replicas: int, labels: Mapping[str, str]) -> Document:
    """Of web pods."""
    spec = {"containers": [web()], "terminationGracePeriodSeconds": 5}
    template = {"metadata": {"labels": dict(labels)}, "spec": spec}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": dict(labels), "template": template},
    }


def web(**more: object) -> Document:
    """A container that tells who it is and whom it sees."""
    return {"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent", **more}


def _fetch(address: str, port: int) -> dict[str, str]:
    connection = http.client.HTTPConnection(address, port, timeout=20)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return _fields(answer.read().decode()) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
