"""Two virtual machines as one cluster, seen from the tests: its making, its API, its pods, what runs on its hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cli.progress import Progress
from lab.images.recipes import IMAGES
from tests.machine.hosts import ADMIN
from tests.vm.api import SLOW_S, WEB_PORT, Api, Document, container_of, fields, request
from tests.vm.bed import VirtualMachine, VmBed
from tests.vm.bed.recipe import SEED

T = TypeVar("T")


class VmCluster(Api):
    """`master` is a node as well."""

    def __init__(self, bed: VmBed, progress: Progress) -> None:
        super().__init__(bed.namespace, Path(bed.directory, "admin.kubeconfig"))
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
            self.kubeconfig.write_text(self.master.says("cat", ADMIN))

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

    def fetch_in(self, pod: Document, address: str, port: int = WEB_PORT) -> dict[str, str]:
        """What a web pod says, asked by a pod."""
        host = next(host for host in self.hosts if host.name == pod["spec"]["nodeName"])
        return fields(host.says("docker", "exec", container_of(pod), "sh", "-c", request(address, port)))


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
