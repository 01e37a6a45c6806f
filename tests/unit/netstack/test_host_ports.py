"""Host ports: their rules as text, their order, the flows that they make stale, and a refused one."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netstack.desired import Endpoint, HostPort, NetworkState, PublishedPort, ServicePort
from netstack.errors import RulesRefused
from netstack.fake import FakeKernel
from netstack.node import NodeNetwork
from netstack.pods import PodLink
from netstack.services.flows import Flow
from netstack.services.hostports import changed_host_ports, published
from netstack.services.rules import ruleset
from tests.unit.netstack.contract import NODE_ADDRESS, settings
from tests.unit.netstack.test_flows import fake_kernel, not_needed

SETTINGS = settings(Path("/nonexistent"))
POD, OTHER, SECOND = IPv4Address("10.244.1.2"), IPv4Address("10.244.1.3"), IPv4Address("172.30.0.50")


def web(protocol: str = "tcp", port: int = 80, address: IPv4Address | None = None) -> HostPort:
    return HostPort("default/web", protocol, port, 8080, address)


def link(address: IPv4Address, *ports: HostPort) -> PodLink:
    return PodLink(f"uid-{address}", address, "ns", (1, 2), ports)


def nat(*ports: PublishedPort) -> dict[str, tuple[str, ...]]:
    return dict(ruleset(SETTINGS, [], host_ports=ports)["nat"].chains)


def test_the_rules_as_text() -> None:
    chains = nat(*published([link(POD, web(), web("udp", 53, SECOND))]))
    assert chains["SAMPAN-SERVICES"][1:] == (
        "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j SAMPAN-NODEPORTS",
        "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j SAMPAN-HOSTPORTS",
    )
    dns = '-d 172.30.0.50/32 -p udp -m udp --dport 53 -m comment --comment "default/web"'
    http = '-p tcp -m tcp --dport 80 -m comment --comment "default/web"'
    assert chains["SAMPAN-HOSTPORTS"] == (
        "-d 10.96.0.0/16 -j RETURN",
        f"-s 10.244.1.2/32 {dns} -j SAMPAN-MARK",
        f"{dns} -j DNAT --to-destination 10.244.1.2:8080",
        f"-s 10.244.1.2/32 {http} -j SAMPAN-MARK",
        f"{http} -j DNAT --to-destination 10.244.1.2:8080",
    )


def test_without_host_ports_or_with_ports_of_the_loopback_only_there_is_no_rule() -> None:
    loopback = published([link(POD, web(address=IPv4Address("127.0.0.1")))])
    assert [port.endpoint for port in loopback] == [Endpoint(POD, 8080)]
    assert nat(*loopback) == nat()
    assert "SAMPAN-HOSTPORTS" not in nat()


def test_of_two_pods_with_the_same_port_one_gets_it_whatever_the_order() -> None:
    first, second = link(POD, web()), link(OTHER, web(), web(address=SECOND))
    expected = (PublishedPort(web(address=SECOND), OTHER), PublishedPort(web(), POD))
    assert published([first, second]) == published([second, first]) == expected


def test_frontends_of_ports_that_changed() -> None:
    local = (NODE_ADDRESS.ip, SECOND)
    one, all_ = web("udp", 53, SECOND), web("udp", 53)
    before, after = published([link(POD, one, all_)]), published([link(POD, one), link(OTHER, all_)])
    assert changed_host_ports(before, after, local) == {("udp", NODE_ADDRESS.ip, 53): {Endpoint(OTHER, 8080)}}
    assert changed_host_ports(after, (), local) == {("udp", address, 53): frozenset() for address in local}
    assert changed_host_ports(after, after, local) == {}


def attached(kernel: FakeKernel, directory: Path) -> NodeNetwork:
    node = NodeNetwork(settings(directory), kernel, wait=not_needed)
    node.apply(NetworkState())
    for name in ("one", "two"):
        kernel.add_namespace(name)
    node.attach_namespace("one", "one", [web("udp", 53)])
    return node


def refuse_sctp(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    restore = kernel.rules.restore

    def without_sctp(text: str) -> None:
        if "-p sctp" in text:
            raise RulesRefused("this kernel has no match for SCTP")
        restore(text)

    monkeypatch.setattr(kernel.rules, "restore", without_sctp)


def test_stale_flows_are_forgotten_when_the_pod_of_a_port_changes(tmp_path: Path) -> None:
    kernel = fake_kernel()
    node = attached(kernel, tmp_path)
    pod = node.pods()["one"]
    stale = Flow("udp", NODE_ADDRESS.ip, 53, pod, 8080)
    older = Flow("udp", NODE_ADDRESS.ip, 53, NODE_ADDRESS.ip, 53)
    elsewhere = Flow("udp", SECOND, 53, SECOND, 53)
    kernel.tracked = [stale, older, elsewhere]
    node.detach_pod("one")
    assert kernel.tracked == [older, elsewhere]
    node.attach_namespace("two", "two", [web("udp", 53)])
    assert kernel.tracked == [elsewhere]


def test_ports_are_written_with_the_first_state_and_removed_with_the_node(tmp_path: Path) -> None:
    kernel = fake_kernel()
    kernel.add_namespace("one")
    node = NodeNetwork(settings(tmp_path), kernel, wait=not_needed)
    node.attach_namespace("one", "one", [web()])
    assert kernel.rules.save() == ""
    node.close()
    node = NodeNetwork(settings(tmp_path), kernel, wait=not_needed)
    node.apply(NetworkState())
    assert "--dport 80" in kernel.rules.save()
    node.teardown()
    assert "SAMPAN" not in kernel.rules.save()


def test_a_refused_port_is_given_up_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = fake_kernel()
    node = attached(kernel, tmp_path)
    refuse_sctp(kernel, monkeypatch)
    with pytest.raises(RulesRefused):
        node.attach_namespace("two", "two", [web("sctp")])
    node.apply(NetworkState())
    assert node.audit() == ()
    assert "--dport 53" in kernel.rules.save()
    node.close()


def test_a_port_that_a_later_kernel_refuses_does_not_stop_the_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = fake_kernel()
    node = attached(kernel, tmp_path)
    node.attach_namespace("two", "two", [web("sctp")])
    node.close()
    kernel = fake_kernel()  # after a reboot
    for name in ("one", "two"):
        kernel.add_namespace(name)
    refuse_sctp(kernel, monkeypatch)
    node = NodeNetwork(settings(tmp_path), kernel, wait=not_needed)
    node.apply(NetworkState(services=(ServicePort("default/web", "tcp", POD, 80, 30080, (Endpoint(OTHER, 80),)),)))
    assert "30080" in kernel.rules.save() and node.audit(links=False) == ()
    # The agent attaches each pod again.
    with pytest.raises(RulesRefused):
        node.attach_namespace("two", "two", [web("sctp")])
    node.attach_namespace("one", "one", [web("udp", 53)])
    assert "--dport 53" in kernel.rules.save()
    node.close()


@pytest.mark.parametrize(("name", "protocol"), [('a/b"c', "tcp"), ("a/b\nc", "tcp"), ("a/b", "icmp"), ("a/b", "TCP")])
def test_what_would_break_the_rules_is_refused(name: str, protocol: str) -> None:
    with pytest.raises(ValueError, match="pod "):
        HostPort(name, protocol, 80, 80)
