"""Two virtual machines as one cluster: installation, joining, and queries about its pods and hosts."""

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
    """The cluster; its `master` is a node too."""

    def __init__(self, bed: VmBed, progress: Progress) -> None:
        super().__init__(bed.namespace, Path(bed.directory, "admin.kubeconfig"))
        self.step = progress.step
        self.master, self.node = bed.machines
        self.before: dict[str, list[Document]] = {}
        """Machine → the findings of `sampan check` before it joined."""

    @property
    def hosts(self) -> tuple[VirtualMachine, VirtualMachine]:
        return self.master, self.node

    def install(self) -> None:
        """Install from the bundles, without the Internet."""
        with self.step("images"):
            self.on_both(self._load_images)
        with self.step("install"):
            self.on_both(lambda host: host.run(f"{SEED}/bundle/install", "agent", timeout_s=120))
            self.master.run(f"{SEED}/bundle/install", "master", timeout_s=120)
            self.kubeconfig.write_text(self.master.output("cat", ADMIN))

    def join(self) -> None:
        """Join both machines, with IP forwarding off: an engine that uses its own bridge would have switched it on."""
        with self.step("check"):
            self.on_both(lambda host: host.run("sysctl", "-w", "net.ipv4.ip_forward=0"))
            self.on_both(self._check)
        with self.step("join"):
            words = self.master.output("sampan", "token", "create", "--kubeconfig", ADMIN).split()
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
        """Call `work` for both machines in parallel; the results by the machines' names. Raises the first error."""
        with ThreadPoolExecutor() as pool:
            running = {host.name: pool.submit(work, host) for host in self.hosts}
            return {name: future.result() for name, future in running.items()}

    def fetch_in(self, pod: Document, address: str, port: int = WEB_PORT) -> dict[str, str]:
        """The answer of a web pod or service to a request from inside a pod."""
        host = next(host for host in self.hosts if host.name == pod["spec"]["nodeName"])
        return fields(host.output("docker", "exec", container_of(pod), "sh", "-c", request(address, port)))


def findings(host: VirtualMachine) -> list[Document]:
    """The findings of `sampan check`."""
    result: list[Document] = json.loads(host.run("sampan", "check", "-o", "json", check=False).stdout)
    return result


def containers(host: VirtualMachine, *options: str) -> list[str]:
    """Name, id and start time of the running containers; with `--all`, also of those that have ended."""
    ids = host.output("docker", "ps", "--quiet", "--no-trunc", *options).split()
    if not ids:
        return []
    template = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
    # If a container is removed in the meantime, the command omits it and fails.
    return sorted(host.run("docker", "inspect", "--format", template, *ids, check=False).stdout.splitlines())
