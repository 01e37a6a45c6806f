"""resolv.conf of pods by Kubernetes' policies, and the names of pods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.model import ClusterDns, Container, DnsConfig, DnsPolicy, Pod, PodUid
from agent.pods.dns import full_name, is_the_hosts, kernel_hostname, resolv_conf
from agent.pods.errors import ContainerConfigError
from agent.pods.hosts import hosts_text
from agent.resolvconf import ResolvConf, of_host, parse

CLUSTER = ClusterDns("cluster.local", "10.96.0.10")
HOST = ResolvConf(("192.0.2.1",), ("example.com",), ("timeout:1",))
NAMES = ("d.svc.cluster.local", "svc.cluster.local", "cluster.local")
FIRST = ResolvConf(("10.96.0.10",), (*NAMES, "example.com"), ("ndots:5",))
OWN = DnsConfig(("203.0.113.1",), ("own.example",), (("ndots", "2"), ("rotate", "")))


def pod(policy: str = "ClusterFirst", **values: Any) -> Pod:
    return Pod(PodUid("u"), "d", "web", (Container("app", "i"),), dns_policy=DnsPolicy(policy), **values)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(pod(), FIRST, id="cluster first"),
        pytest.param(pod("Default"), HOST, id="default"),
        pytest.param(pod(host_network=True), HOST, id="cluster first in the host's network"),
        pytest.param(pod("ClusterFirstWithHostNet", host_network=True), FIRST, id="with the host's network"),
        pytest.param(
            pod("None", dns_config=OWN),
            ResolvConf(("203.0.113.1",), ("own.example",), ("ndots:2", "rotate")),
            id="none",
        ),
        pytest.param(
            pod(dns_config=OWN),
            ResolvConf(("10.96.0.10", "203.0.113.1"), (*NAMES, "example.com", "own.example"), ("ndots:2", "rotate")),
            id="merged",
        ),
        pytest.param(pod("Default", dns_config=DnsConfig(HOST.nameservers, HOST.searches)), HOST, id="nothing twice"),
    ],
)
def test_policies(made: Pod, expected: ResolvConf) -> None:
    formed = resolv_conf(made, CLUSTER, HOST)
    assert (formed.conf, formed.complaints) == (expected, ())


def test_a_cluster_without_dns_gives_the_hosts_settings_and_says_so() -> None:
    formed = resolv_conf(pod(), ClusterDns("cluster.local"), HOST)
    assert formed.conf == HOST
    assert [reason for reason, _ in formed.complaints] == ["MissingClusterDNS"]


@pytest.mark.parametrize(
    ("cluster", "servers"), [(CLUSTER, ("10.96.0.10",)), (ClusterDns(), ())], ids=["through cluster DNS", "no way"]
)
def test_a_resolver_on_the_hosts_loopback_is_reached_through_cluster_dns(
    cluster: ClusterDns, servers: tuple[str, ...]
) -> None:
    host = replace(HOST, nameservers=("127.0.0.53", "::1"))
    assert resolv_conf(pod("Default"), cluster, host).conf.nameservers == servers
    both = replace(HOST, nameservers=("127.0.0.53", "192.0.2.1"))
    assert resolv_conf(pod("Default"), cluster, both).conf.nameservers == ("192.0.2.1",)
    assert resolv_conf(pod("Default", host_network=True, dns_config=OWN), cluster, host).conf.nameservers[:2] == (
        "127.0.0.53",
        "::1",
    )


def test_limits_are_kept_and_reported() -> None:
    config = DnsConfig(("192.0.2.7", "192.0.2.8", "192.0.2.9"), tuple(f"d{number}.example" for number in range(40)))
    formed = resolv_conf(pod(dns_config=config), CLUSTER, HOST)
    assert formed.conf.nameservers == ("10.96.0.10", "192.0.2.7", "192.0.2.8")
    assert len(formed.conf.searches) == 32
    assert [reason for reason, _ in formed.complaints] == ["DNSConfigForming"] * 2
    long = DnsConfig((), tuple(f"{number:02d}{'a' * 60}.{'b' * 60}" for number in range(28)))
    formed = resolv_conf(pod(dns_config=long), CLUSTER, HOST)
    assert len(" ".join(formed.conf.searches)) <= 2048
    assert formed.complaints[0][1].endswith(" ".join(formed.conf.searches))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (pod(), False),
        (pod(host_network=True), True),
        (pod("Default", host_network=True), True),
        (pod("ClusterFirstWithHostNet", host_network=True), False),
        (pod("Default", host_network=True, dns_config=OWN), False),
        (pod("None", host_network=True, dns_config=OWN), False),
    ],
)
def test_pods_that_have_the_hosts_own_file(made: Pod, expected: bool) -> None:
    assert is_the_hosts(made, CLUSTER) is expected


def test_the_name_of_a_pod_with_its_domain() -> None:
    named = pod(hostname="web-0", subdomain="nginx")
    assert full_name(named, CLUSTER) == "web-0.nginx.d.svc.cluster.local"
    assert full_name(pod(hostname="web-0"), CLUSTER) == ""
    assert kernel_hostname(named, CLUSTER) == "web-0"
    assert kernel_hostname(replace(named, set_hostname_as_fqdn=True), CLUSTER) == "web-0.nginx.d.svc.cluster.local"
    assert kernel_hostname(pod(set_hostname_as_fqdn=True), CLUSTER) == "web"


def test_a_name_that_overrides_the_others() -> None:
    named = pod(hostname="web-0", subdomain="nginx", hostname_override="db.example.org")
    assert kernel_hostname(named, CLUSTER) == "db.example.org"
    assert full_name(named, CLUSTER) == ""
    assert "10.244.0.5\tdb.example.org\n" in hosts_text(named, "10.244.0.5", CLUSTER)


def test_a_name_that_is_too_long_for_the_kernel_is_refused() -> None:
    long = pod(hostname="h" * 40, subdomain="nginx", set_hostname_as_fqdn=True)
    with pytest.raises(ContainerConfigError, match="is too long"):
        kernel_hostname(long, CLUSTER)


def test_resolv_conf_is_read_as_resolvers_read_it() -> None:
    text = "# c\nsearch a b\ndomain x\nsearch c. d . # e\nnameserver 192.0.2.1\nnameserver nowhere\n;n\n"
    text += "nameserver\nnameserver fe80::1%eth0 more\noptions ndots:1 rotate\noptions timeout:2\nother\n"
    conf = parse(text)
    assert conf == ResolvConf(("192.0.2.1", "fe80::1%eth0"), ("c", "d", "."), ("ndots:1", "rotate", "timeout:2"))
    assert parse(conf.text) == conf


def test_the_resolvers_behind_systemd_resolved_are_used(tmp_path: Path) -> None:
    own, behind = tmp_path / "resolv.conf", tmp_path / "behind"
    own.write_text("nameserver 127.0.0.53\nsearch a\n")
    assert of_host(own, behind).nameservers == ("127.0.0.53",)
    behind.write_text("nameserver 192.0.2.1\nsearch b\n")
    assert of_host(own, behind) == ResolvConf(("192.0.2.1",), ("b",))
    own.write_text("nameserver 127.0.0.1\n")
    assert of_host(own, behind).nameservers == ("127.0.0.1",)
    assert of_host(tmp_path / "missing", behind) == ResolvConf()
