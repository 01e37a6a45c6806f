"""A cluster of Vagrant's, by its libvirt provider: machines of QEMU's without KVM, from nothing until nothing is left.

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
from tests.vm.api import PODS, WEB_PORT, Api, Document, container_of, fields, in_time, pod, ready, request
from tests.vm.bed import box, libvirt
from tests.vm.bed.libvirt import LibvirtBed

_BOX: Final = "sampan/vm"
_LONG_S: Final = 1800.0
"""Bound of one command of Vagrant's; the longest was seen to take a fifth of it."""
_NAMES: Final = ("master", "node1")


class LibvirtVagrant(Vagrant):
    """Its machines are those of a bed's libvirt; two are as many as two cores emulate."""

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

    def fetch_in(self, asking: Document, asked: Document) -> dict[str, str]:
        """What a web pod says, asked by another one."""
        script = shlex.quote(request(asked["status"]["podIP"], WEB_PORT))
        return fields(self.ssh(asking["spec"]["nodeName"], f"sudo docker exec {container_of(asking)} sh -c {script}"))


@pytest.fixture(scope="module")
def bed() -> Iterator[LibvirtBed]:
    if reason := libvirt.unusable():
        pytest.skip(reason)
    libvirt.sweep_ended()
    outside = _bridges(None)
    with LibvirtBed() as made:
        yield made
        assert _bridges(None) == outside, "all of it is in the bed's namespace"


@pytest.fixture(scope="module")
def vagrant(bed: LibvirtBed, progress: Progress) -> LibvirtVagrant:
    """Two machines, up; what `vagrant up` printed lies in `up.log`."""
    with progress.step("bundle"):
        bundle = bundled(bed.directory / "bundle.tar")
    made = LibvirtVagrant(bed.directory, bed, bundle)
    made.copy_files()
    with progress.step("box"):
        file = box.make(bed.directory)
        made("box", "add", "--name", _BOX, str(file))
        file.unlink()
    with progress.step("vagrant up"):
        (made.home / "up.log").write_text(made("up"))
    return made


@pytest.fixture(scope="module")
def api(bed: LibvirtBed, vagrant: LibvirtVagrant) -> Api:
    return Api(bed.name, vagrant.kubeconfig)


@pytest.fixture(scope="module")
def pods(api: Api) -> list[Document]:
    """One on each machine."""
    for name in _NAMES:
        api.create(PODS, pod(f"web-{name}", name, {"app": "web"}))
    return api.wait_ready(2, app="web")


def test_up_ends_with_a_cluster_of_virtual_machines(bed: LibvirtBed, vagrant: LibvirtVagrant, api: Api) -> None:
    said = (vagrant.home / "up.log").read_text()
    assert f"export KUBECONFIG={vagrant.kubeconfig}" in said
    nodes = {node["metadata"]["name"]: node for node in api.get("/api/v1/nodes")["items"]}
    assert {name: ready(node) for name, node in nodes.items()} == dict.fromkeys(_NAMES, True)
    for name, node in nodes.items():
        (address,) = (each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
        # Not that of the first interface, by which Vagrant speaks to them.
        assert address == ADDRESSES[name]
    assert len(bed.domains()) == 2
    for domain in bed.domains():
        assert bed.virsh("dumpxml", domain).startswith("<domain type='qemu'")


def test_provisioning_again_stops_nobody(vagrant: LibvirtVagrant, progress: Progress) -> None:
    ask = "systemctl show --property=MainPID --value sampan-master sampan-agent docker docker-registry"
    before = [vagrant.ssh(name, ask) for name in _NAMES]
    with progress.step("vagrant provision"):
        vagrant("provision")
    assert [vagrant.ssh(name, ask) for name in _NAMES] == before


def test_packets_cross_between_pods_on_the_machines(
    vagrant: LibvirtVagrant, pods: list[Document], progress: Progress
) -> None:
    with progress.step("packets between pods"):
        _assert_reach(vagrant, pods)


def test_machines_that_were_switched_off_come_back_with_their_pods(
    bed: LibvirtBed, vagrant: LibvirtVagrant, api: Api, pods: list[Document], progress: Progress
) -> None:
    with progress.step("vagrant halt"):
        vagrant("halt")
    assert bed.virsh("list", "--name").split() == []
    with progress.step("vagrant up"):
        vagrant("up")
    assert all(api.is_ready(f"/api/v1/nodes/{name}") for name in _NAMES)
    before = {container_of(each) for each in pods}

    def back() -> list[Document]:
        found = api.wait_ready(2, app="web")
        return [] if before & {container_of(each) for each in found} else found

    with progress.step("their pods"):
        now = in_time(back)
    assert {each["metadata"]["uid"] for each in now} == {each["metadata"]["uid"] for each in pods}
    _assert_reach(vagrant, now)
    # It starts before the machine has its address there.
    assert in_time(lambda: vagrant.ssh("master", "systemctl is-active docker-registry || true").strip() == "active")


def test_destroy_leaves_nothing(bed: LibvirtBed, vagrant: LibvirtVagrant, progress: Progress) -> None:
    boxes = [name for name in bed.volumes() if "box" in name]
    with progress.step("vagrant destroy"):
        vagrant("destroy", "--force")
    assert (bed.domains(), bed.networks(), bed.processes()) == ([], [], [])
    assert bed.volumes() == boxes, "but the box, which the next one is made of"
    assert _bridges(bed.name) == set()
    assert not vagrant.kubeconfig.exists() and not (vagrant.kept / "join").exists()


def _bridges(namespace: str | None) -> set[str]:
    """Those that libvirt made in a network namespace; None: this machine's own."""
    links = namespaces.run_in(namespace, socket.if_nameindex)
    return {name for _, name in links if name.startswith("virbr")}


def _assert_reach(vagrant: LibvirtVagrant, pods: list[Document]) -> None:
    """Each of the two is answered by the other, which sees its own address."""
    for asking, asked in (pods, reversed(pods)):
        said = vagrant.fetch_in(asking, asked)
        assert said["pod"] == asked["metadata"]["name"]
        assert said["client"].endswith(asking["status"]["podIP"])
