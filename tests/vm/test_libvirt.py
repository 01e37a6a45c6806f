"""A cluster that Vagrant makes with its libvirt provider, on QEMU without KVM: from `up` to `destroy`.

The tests share the machines and run in this order.
"""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from cli.progress import Progress
from netstack import namespaces
from tests.machine.bundle import bundled
from tests.machine.vagrant import ADDRESSES, Vagrant
from tests.vm.api import PODS, WEB_PORT, Api, Document, container_of, fields, in_time, ready, request
from tests.vm.api import pod as a_pod
from tests.vm.bed import box, libvirt
from tests.vm.bed.libvirt import LibvirtBed

_BOX: Final = "sampan/vm"
_LONG_S: Final = 1800.0
"""The bound for one command of Vagrant; the longest took a fifth of it."""
_NAMES: Final = ("master", "node1")


class LibvirtVagrant(Vagrant):
    """Vagrant with the libvirt of a bed. It makes two machines, as many as two cores can emulate."""

    def __init__(self, home: Path, bed: LibvirtBed, bundle: Path) -> None:
        settings = {
            "SAMPAN_PROVIDER": "libvirt",
            "SAMPAN_LIBVIRT_DRIVER": "qemu",
            "SAMPAN_NODES": "1",
            "SAMPAN_MEMORY": "1024",
            "SAMPAN_BOX": _BOX,
            "SAMPAN_BUNDLE": str(bundle),
        }
        super().__init__(home / "checkout/vagrant", home, bed.inside, settings, _LONG_S)

    def fetch_in(self, client: Document, server: Document) -> dict[str, str]:
        """The answer of a web pod to a request from inside another pod."""
        script = shlex.quote(request(server["status"]["podIP"], WEB_PORT))
        return fields(self.ssh(client["spec"]["nodeName"], f"sudo docker exec {container_of(client)} sh -c {script}"))


@pytest.fixture(scope="module")
def bed() -> Iterator[LibvirtBed]:
    if reason := libvirt.unusable():
        pytest.skip(reason)
    libvirt.sweep_ended()
    outside = _bridges(None)
    with LibvirtBed() as libvirt_bed:
        yield libvirt_bed
        assert _bridges(None) == outside, "all bridges are in the bed's namespace"


@pytest.fixture(scope="module")
def vagrant(bed: LibvirtBed, progress: Progress) -> LibvirtVagrant:
    """Two machines, booted; `up.log` has the output of `vagrant up`."""
    with progress.step("bundle"):
        bundle = bundled(bed.directory / "bundle.tar")
    runner = LibvirtVagrant(bed.directory, bed, bundle)
    runner.copy_files()
    with progress.step("box"):
        file = box.make(bed.directory)
        runner("box", "add", "--name", _BOX, str(file))
        file.unlink()
    with progress.step("vagrant up"):
        (runner.home / "up.log").write_text(runner("up"))
    return runner


@pytest.fixture(scope="module")
def api(bed: LibvirtBed, vagrant: LibvirtVagrant) -> Api:
    return Api(bed.name, vagrant.kubeconfig)


@pytest.fixture(scope="module")
def pods(api: Api) -> list[Document]:
    """A web pod on each machine."""
    for name in _NAMES:
        api.create(PODS, a_pod(f"web-{name}", name, {"app": "web"}))
    return api.wait_ready(2, app="web")


def test_up_ends_with_a_cluster_of_virtual_machines(bed: LibvirtBed, vagrant: LibvirtVagrant, api: Api) -> None:
    output = (vagrant.home / "up.log").read_text()
    assert f"export KUBECONFIG={vagrant.kubeconfig}" in output
    nodes = {node["metadata"]["name"]: node for node in api.get("/api/v1/nodes")["items"]}
    assert {name: ready(node) for name, node in nodes.items()} == dict.fromkeys(_NAMES, True)
    for name, node in nodes.items():
        (address,) = (entry["address"] for entry in node["status"]["addresses"] if entry["type"] == "InternalIP")
        # Not the address of the first interface, which Vagrant uses for ssh.
        assert address == ADDRESSES[name]
    assert len(bed.domains()) == 2
    for domain in bed.domains():
        assert bed.virsh("dumpxml", domain).startswith("<domain type='qemu'")


def test_provisioning_again_restarts_no_service(vagrant: LibvirtVagrant, progress: Progress) -> None:
    pids = "systemctl show --property=MainPID --value sampan-master sampan-agent docker docker-registry"
    before = [vagrant.ssh(name, pids) for name in _NAMES]
    with progress.step("vagrant provision"):
        vagrant("provision")
    assert [vagrant.ssh(name, pids) for name in _NAMES] == before


def test_pods_on_different_machines_reach_each_other(
    vagrant: LibvirtVagrant, pods: list[Document], progress: Progress
) -> None:
    with progress.step("packets between pods"):
        _assert_reach(vagrant, pods)


def test_pods_are_back_after_their_machines_were_switched_off(
    bed: LibvirtBed, vagrant: LibvirtVagrant, api: Api, pods: list[Document], progress: Progress
) -> None:
    with progress.step("vagrant halt"):
        vagrant("halt")
    assert bed.virsh("list", "--name").split() == []
    with progress.step("vagrant up"):
        vagrant("up")
    assert all(api.is_ready(f"/api/v1/nodes/{name}") for name in _NAMES)
    before = {container_of(pod) for pod in pods}

    def restarted() -> list[Document]:
        current = api.wait_ready(2, app="web")
        return [] if before & {container_of(pod) for pod in current} else current

    with progress.step("their pods"):
        now = in_time(restarted)
    assert {pod["metadata"]["uid"] for pod in now} == {pod["metadata"]["uid"] for pod in pods}
    _assert_reach(vagrant, now)
    # The registry starts before the machine has the address on which it listens, so it needs some attempts.
    assert in_time(lambda: vagrant.ssh("master", "systemctl is-active docker-registry || true").strip() == "active")


def test_destroy_removes_everything_but_the_box(bed: LibvirtBed, vagrant: LibvirtVagrant, progress: Progress) -> None:
    boxes = [name for name in bed.volumes() if "box" in name]
    with progress.step("vagrant destroy"):
        vagrant("destroy", "--force")
    assert (bed.domains(), bed.networks(), bed.processes()) == ([], [], [])
    assert bed.volumes() == boxes, "the box stays for the next machine"
    assert _bridges(bed.name) == set()
    assert not vagrant.kubeconfig.exists() and not (vagrant.kept / "join").exists()


def _bridges(namespace: str | None) -> set[str]:
    """libvirt's bridges in a network namespace; None: this machine's own."""
    links = namespaces.run_in(namespace, socket.if_nameindex)
    return {name for _, name in links if name.startswith("virbr")}


def _assert_reach(vagrant: LibvirtVagrant, pods: list[Document]) -> None:
    """Each of the two pods reaches the other, which sees the address of the client pod."""
    for client, server in (pods, reversed(pods)):
        page = vagrant.fetch_in(client, server)
        assert page["pod"] == server["metadata"]["name"]
        assert page["client"].endswith(client["status"]["podIP"])
