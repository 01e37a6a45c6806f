"""A cluster of Vagrant with its docker provider: the whole life of the machines, as a user sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.kubectl import Kubectl, debian_kubectl
from lab.workloads import example
from netrig.plugin import eventually
from tests.machine.bed import MachineBed
from tests.machine.vagrant import ADDRESSES, DockerVagrant

pytestmark = pytest.mark.timeout(400)
THREE = ("master", "node1", "node2")
PAGE_PORT = 30001


@pytest.fixture(scope="module")
def vagrant(bundle_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerVagrant]:
    """Three running machines; `up.log` has the output of `vagrant up`."""
    directory = tmp_path_factory.mktemp("vagrant")
    with MachineBed(default_bridge=True) as bed:
        made = DockerVagrant(directory / "checkout/vagrant", directory, bed, bundle_file)
        made.copy_files()
        (directory / "up.log").write_text(made("up"))
        yield made


@pytest.fixture
def kubectl(vagrant: DockerVagrant) -> Kubectl:
    return vagrant.kubectl(debian_kubectl())


def statuses(kubectl: Kubectl) -> dict[str, str]:
    """Node → the status of its condition Ready."""
    nodes = kubectl.json("get", "nodes")["items"]
    return {
        node["metadata"]["name"]: next(
            each["status"] for each in node["status"]["conditions"] if each["type"] == "Ready"
        )
        for node in nodes
    }


def ready_pods(kubectl: Kubectl) -> dict[str, dict[str, str]]:
    """Ready pods: name → node, address and the id of the container."""
    return {
        pod["metadata"]["name"]: {
            "node": pod["spec"]["nodeName"],
            "address": pod["status"]["podIP"],
            "container": pod["status"]["containerStatuses"][0]["containerID"],
        }
        for pod in kubectl.json("get", "pods")["items"]
        if all(each["ready"] for each in pod["status"].get("containerStatuses", [{"ready": False}]))
        and "deletionTimestamp" not in pod["metadata"]
    }


def page(machine: str) -> str:
    return f"http://{ADDRESSES[machine]}:{PAGE_PORT}/"


def test_up_ends_with_a_cluster_and_prints_how_to_use_it(vagrant: DockerVagrant, kubectl: Kubectl) -> None:
    log = (vagrant.home / "up.log").read_text()
    assert f"export KUBECONFIG={vagrant.kubeconfig}" in log
    assert statuses(kubectl) == dict.fromkeys(THREE, "True")
    nodes = kubectl.json("get", "nodes")["items"]
    addresses = {
        node["metadata"]["name"]: next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        for node in nodes
    }
    assert addresses == {name: ADDRESSES[name] for name in THREE}
    # Only the user can read the secrets, and neither the output nor a journal has the token.
    for path in (vagrant.kept / "join", vagrant.kubeconfig):
        assert path.stat().st_mode & 0o077 == 0, path
    token = re.search(r"--token (\S+)", (vagrant.kept / "join").read_text())
    assert token
    assert token[1] not in log
    journal = vagrant.machine("node1").shell("journalctl --no-pager -o cat").stdout
    assert "sampan join" in journal and token[1] not in journal, "sudo logs its arguments"


def test_the_printed_command_works(vagrant: DockerVagrant) -> None:
    assert "vagrant ssh master -c 'sudo sampan status'" in (vagrant.home / "up.log").read_text()
    output = vagrant.ssh("master", "sudo sampan status")
    for name in THREE:
        assert re.search(rf"^{name} +Ready +{ADDRESSES[name]} ", output, re.MULTILINE), output


def test_a_guestbook_across_the_machines(vagrant: DockerVagrant, kubectl: Kubectl) -> None:
    for name in ("guestbook.yaml", "guestbook-frontend.yaml"):
        kubectl("create", "--validate=false", "-f", str(example(name)))
    eventually(lambda: len(ready_pods(kubectl)) == 6, within_s=90)
    pods = ready_pods(kubectl)
    assert {pod["node"] for pod in pods.values()} == set(THREE), "the pods must be on all machines"
    # A visitor from outside writes an entry by one machine's port, and reads it by each machine's.

    def written() -> bool:
        vagrant.fetch(page("node1"), "--data", "entry=hello+from+%3Coutside%3E")
        return "hello from &lt;outside&gt;" in vagrant.fetch(page("node1"))

    eventually(written)
    for machine in THREE:
        eventually(lambda machine=machine: "hello from &lt;outside&gt;" in vagrant.fetch(page(machine)))
    # Each machine reaches each frontend pod directly, through the overlay if it is on another machine.
    fronts = {name: pod["address"] for name, pod in pods.items() if name.startswith("guestbook-")}
    for machine in THREE:
        script = "; ".join(f"curl -sf -m 5 http://{address}" for address in fronts.values())
        output = vagrant.machine(machine).shell(script).stdout
        assert all(f"served by pod {name} to" in output for name in fronts), output


@pytest.mark.long
def test_provisioning_again_changes_nothing_and_restarts_nothing(vagrant: DockerVagrant, kubectl: Kubectl) -> None:
    def services() -> list[str]:
        ask = "systemctl show --property=MainPID --value sampan-master sampan-agent docker docker-registry"
        return [vagrant.machine(name).shell(ask).stdout for name in THREE]

    before = ready_pods(kubectl), services()
    vagrant("provision")
    assert (ready_pods(kubectl), services()) == before


@pytest.mark.long
def test_a_machine_that_was_switched_off_boots_with_its_pods(vagrant: DockerVagrant, kubectl: Kubectl) -> None:
    before = ready_pods(kubectl)
    on_node1 = {name for name, pod in before.items() if pod["node"] == "node1"}
    vagrant("halt", "node1")
    vagrant("halt", "node1")
    vagrant("up", "node1")

    def back() -> bool:
        now = ready_pods(kubectl)
        return now.keys() == before.keys() and all(
            now[name]["container"] != before[name]["container"] for name in on_node1
        )

    assert on_node1
    assert eventually(back, within_s=120)
    assert f"export KUBECONFIG={vagrant.kubeconfig}" in vagrant("reload", "master")
    assert eventually(lambda: len(ready_pods(kubectl)) == len(before), within_s=120)
    assert "hello from &lt;outside&gt;" in eventually(lambda: vagrant.fetch(page("node1")))


@pytest.mark.long
def test_a_machine_is_destroyed_and_replaced_and_another_one_added(vagrant: DockerVagrant, kubectl: Kubectl) -> None:
    old = vagrant.machine_id("node2")
    vagrant("destroy", "--force", "node2")
    assert statuses(kubectl).keys() == {"master", "node1"}
    # After an interrupt during provisioning Vagrant itself takes the machine for provisioned.
    assert vagrant.interrupted("up", "node2", at="Running provisioner: host") != 0
    vagrant("up", "node2")
    assert statuses(kubectl)["node2"] == "True"
    # A master that is off cannot delete the node. Its next `up` does, while the other machines start.
    vagrant("halt", "master")
    assert "does not know yet that node/node2 is gone" in vagrant("destroy", "--force", "node2")
    vagrant("up", SAMPAN_NODES="3")
    assert vagrant.machine_id("node2") != old
    assert statuses(kubectl) == dict.fromkeys([*THREE, "node3"], "True")
    # A run without SAMPAN_NODES knows the additional machine.
    assert "node3" in vagrant("status")
    assert eventually(lambda: len(ready_pods(kubectl)) == 6, within_s=120)
    assert "<h1>Guestbook</h1>" in vagrant.ssh("node3", f"curl -sf -m 5 {page('node2')}")


def test_nothing_is_left_after_destroy(vagrant: DockerVagrant) -> None:
    vagrant("destroy", "--force")
    assert vagrant.docker.must("ps", "--all", "--quiet") == ""
    assert "192.168.56" not in vagrant.docker.must("network", "ls")
    assert not vagrant.kubeconfig.exists() and not (vagrant.kept / "join").exists()
    vagrant("destroy", "--force")


def test_invalid_settings_are_reported(vagrant: DockerVagrant) -> None:
    for name, value, message in (
        ("SAMPAN_NODES", "many", "SAMPAN_NODES is not a number from 0 to 200"),
        ("SAMPAN_MEMORY", "64", "SAMPAN_MEMORY is not a number from 512"),
        ("SAMPAN_SUBNET", "10.0.0.0/8", "SAMPAN_SUBNET is not a /24"),
        ("SAMPAN_LIBVIRT_DRIVER", "xen", "SAMPAN_LIBVIRT_DRIVER is neither kvm nor qemu"),
    ):
        refused = vagrant.tried("status", **{name: value})
        assert refused.returncode != 0 and message in refused.stdout, refused.stdout
