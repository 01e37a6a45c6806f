"""The hosts files of pods: their text, and that of the node for pods in its network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.model import ClusterDns, HostAlias
from agent.pods.errors import ContainerConfigError
from agent.pods.hosts import hosts_text, of_host, text_in_host_network
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import DNS, Bed, pod

ALIASES = (HostAlias("192.0.2.9", ("a", "b")), HostAlias("192.0.2.10", ("c",)))
ADDED = "\n# Entries added by HostAliases.\n192.0.2.9\ta\tb\n192.0.2.10\tc\n"
HEAD = "# Kubernetes-managed hosts file (host network).\n"


def test_a_pod_has_loopback_its_own_names_and_its_aliases() -> None:
    text = hosts_text(pod(host_aliases=ALIASES), "10.0.0.2", ClusterDns())
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert text.endswith(f"fe00::2\tip6-allrouters\n10.0.0.2\tweb\n{ADDED}")


def test_a_pod_with_a_subdomain_has_its_full_name_too() -> None:
    text = hosts_text(pod(hostname="web-0", subdomain="nginx"), "10.0.0.2", DNS)
    assert text.endswith("10.0.0.2\tweb-0.nginx.default.svc.cluster.local\tweb-0\n")


@pytest.mark.parametrize("host", ["127.0.0.1\tlocalhost\n", "127.0.0.1\tlocalhost"])
def test_a_pod_in_the_hosts_network_has_the_hosts_names_and_its_aliases(host: str) -> None:
    assert text_in_host_network(pod(), host) == f"{HEAD}127.0.0.1\tlocalhost\n"
    assert text_in_host_network(pod(host_aliases=ALIASES), host) == f"{HEAD}127.0.0.1\tlocalhost\n{ADDED}"
    assert text_in_host_network(pod(), "") == HEAD


def test_the_hosts_file_may_lack_and_must_not_lead_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "secret"
    (root / "etc").mkdir(parents=True)
    outside.write_text("secret")
    assert of_host(root) == ""
    hosts = root / "etc" / "hosts"
    hosts.symlink_to("names")
    (root / "etc" / "names").write_bytes(b"192.0.2.1 caf\xe9\n")
    assert of_host(root).startswith("192.0.2.1 caf")
    hosts.unlink()
    hosts.symlink_to(outside)
    with pytest.raises(ContainerConfigError, match="leads out"):
        of_host(root)
    hosts.unlink()
    hosts.mkdir()
    with pytest.raises(ContainerConfigError, match="cannot be read"):
        of_host(root)
    hosts.rmdir()
    os.mkfifo(hosts)
    with pytest.raises(ContainerConfigError, match="not a file"):
        of_host(root)
    hosts.unlink()
    hosts.touch()
    os.truncate(hosts, 1 << 40)
    with pytest.raises(ContainerConfigError, match="too long"):
        of_host(root)


async def test_a_container_cannot_make_the_agent_read_more_than_it_has_memory(bed: Bed) -> None:
    async with bed.running(pod()):
        app = bed.engine.named("app")[0]
        hosts = next(mount.source for mount in bed.engine.specs[app.id].mounts if mount.target == "/etc/hosts")
        os.truncate(hosts, 1 << 40)
        bed.engine.end(bed.engine.named("POD")[0].name, 137)
        await settle()
        assert Path(hosts).read_bytes().endswith(b"\tweb\n") and bed.ready()


@pytest.mark.parametrize("in_host_network", [False, True])
async def test_containers_get_the_file(bed: Bed, in_host_network: bool) -> None:
    (bed.config.host_root / "etc").mkdir(parents=True)
    (bed.config.host_root / "etc" / "hosts").write_bytes(b"192.0.2.1 caf\xe9\n")
    async with bed.running(pod(host_network=in_host_network)):
        app = bed.engine.named("app")[0]
        hosts = next(mount for mount in bed.engine.specs[app.id].mounts if mount.target == "/etc/hosts")
        text = Path(hosts.source).read_bytes()
        assert text.endswith(b"\n192.0.2.1 caf\xe9\n" if in_host_network else b"\n10.244.1.2\tweb\n")
