"""The content of the node's DNS, from the master's messages."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from agent import model
from agent.desired.state import DesiredState
from netstack.dns.cluster import Endpoint, Port, Service
from proto import checks
from proto.gen import desired_pb2 as pb
from proto.gen.session_pb2 import Cut

NODE = pb.NodeConfig(
    pod_cidr="10.244.1.0/24",
    cluster_cidr="10.244.0.0/16",
    service_cidr="10.96.0.0/16",
    node_address="10.0.0.1",
    cluster_domain="cluster.local",
    cluster_dns="10.96.0.10",
)
HTTP = pb.EndpointPort(name="http", protocol="TCP", port=8080)


def ref(name: str, namespace: str = "default") -> pb.ObjectRef:
    return pb.ObjectRef(namespace=namespace, name=name)


def web(cluster_ip: str = "10.96.0.20", name: str = "web") -> pb.Service:
    return pb.Service(
        ref=ref(name), cluster_ip=cluster_ip, ports=[pb.ServicePort(name="http", protocol="TCP", port=80)]
    )


def part(name: str, *addresses: str, hostnames: tuple[str, ...] = (), namespace: str = "default") -> pb.EndpointSlice:
    subset = pb.EndpointSubset(addresses=addresses, ports=[HTTP], hostnames=hostnames)
    return pb.EndpointSlice(ref=ref(f"{name}-1", namespace), service=name, endpoints=subset)


def state(*services: pb.Service, slices: tuple[pb.EndpointSlice, ...] = (), node: pb.NodeConfig = NODE) -> DesiredState:
    made = DesiredState()
    made.receive(Cut(snapshot=True, revision=1, last=True, node=node, services=services, endpoint_slices=slices))
    return made


def services(made: DesiredState) -> dict[tuple[str, str], Service]:
    content = made.for_dns()
    assert content is not None
    return dict(content.services)


def test_services_and_the_endpoints_that_dns_needs() -> None:
    made = state(
        web(),
        web("", "db"),
        pb.Service(ref=ref("out"), external_name="x.example"),
        slices=(part("web", "10.244.1.2"), part("db", "10.244.1.3", "10.244.1.4", hostnames=("db-0", ""))),
    )
    ports = (Port("http", "tcp", 8080),)
    assert services(made) == {
        ("default", "web"): Service("default", "web", IPv4Address("10.96.0.20"), ports=(Port("http", "tcp", 80),)),
        ("default", "db"): Service(
            "default",
            "db",
            ports=(Port("http", "tcp", 80),),
            endpoints=(
                Endpoint(IPv4Address("10.244.1.3"), "db-0", ports),
                Endpoint(IPv4Address("10.244.1.4"), "", ports),
            ),
        ),
        ("default", "out"): Service("default", "out", external_name="x.example"),
    }


def test_the_settings_are_those_of_the_cluster() -> None:
    content = state(web()).for_dns()
    assert content is not None
    assert (content.settings.domain, content.settings.address) == ("cluster.local", IPv4Address("10.96.0.10"))
    assert content.settings.networks == (IPv4Network("10.96.0.0/16"), IPv4Network("10.244.0.0/16"))


def test_an_unchanged_service_is_the_same_object_and_a_changed_one_is_not() -> None:
    made = state(web(), web("", "db"), slices=(part("db", "10.244.1.3"),))
    before = services(made)
    assert services(made)["default", "db"] is before["default", "db"]
    made.receive(Cut(base_revision=1, revision=2, last=True, endpoint_slices=[part("db", "10.244.1.9")]))
    after = services(made)
    assert after["default", "web"] is before["default", "web"]
    assert [each.address for each in after["default", "db"].endpoints] == [IPv4Address("10.244.1.9")]


def test_bad_names_and_addresses_cost_only_themselves(caplog: pytest.LogCaptureFixture) -> None:
    made = state(
        web(),
        pb.Service(ref=ref("out"), external_name="a..b"),
        web("", "db"),
        slices=(part("db", "nowhere", "10.244.1.3", "10.244.1.4", hostnames=("", "", "a.b")),),
    )
    found = services(made)
    assert found.keys() == {("default", "web"), ("default", "db")}
    assert [each.address for each in found["default", "db"].endpoints] == [IPv4Address("10.244.1.3")]
    assert "service default/out: not in DNS" in caplog.text
    assert caplog.text.count("service default/db: endpoint not in DNS") == 2


def test_a_cluster_whose_pods_serve_dns_leaves_the_address_to_them() -> None:
    dns = pb.Service(ref=ref("kube-dns", "kube-system"), cluster_ip="10.96.0.10")
    alone, served = state(dns), state(dns, slices=(part("kube-dns", "10.244.2.2", namespace="kube-system"),))
    assert alone.for_dns() is not None
    assert alone.for_network().dns == IPv4Address("10.96.0.10")
    assert served.for_dns() is None
    assert served.for_network().dns is None
    assert served.for_pods().dns == model.ClusterDns("cluster.local", "10.96.0.10")


def test_a_service_of_that_name_with_another_address_takes_no_questions() -> None:
    """As people may have made it in a release without DNS: pods ask the tenth address all the same."""
    dns = pb.Service(ref=ref("kube-dns", "kube-system"), cluster_ip="10.96.0.77")
    made = state(dns, slices=(part("kube-dns", "10.244.2.2", namespace="kube-system"),))
    assert made.for_network().dns == IPv4Address("10.96.0.10")
    assert made.for_dns() is not None
    assert made.for_pods().dns.address == "10.96.0.10"


def test_a_cluster_where_another_service_has_the_address_has_no_dns() -> None:
    made = state(web("10.96.0.10"))
    assert made.for_dns() is None
    assert made.for_network().dns is None
    assert made.for_pods().dns == model.ClusterDns("cluster.local", "")


def test_the_state_on_disk_keeps_names() -> None:
    made = state(web("", "db"), slices=(part("db", "10.244.1.3", hostnames=("db-0",)),))
    restored = DesiredState()
    restored.restore(made.dump(secrets=False), secrets_known=False)
    assert services(restored) == services(made)


@pytest.mark.parametrize(
    "wrong", [{"cluster_dns": "10.97.0.10"}, {"cluster_dns": "x"}, {"cluster_domain": "a b"}, {"cluster_domain": ""}]
)
def test_settings_of_dns_that_make_no_sense_are_refused(wrong: dict[str, str]) -> None:
    node = pb.NodeConfig()
    node.CopyFrom(NODE)
    for name, value in wrong.items():
        setattr(node, name, value)
    assert checks.node(NODE) == ""
    assert checks.node(node) != ""


def test_host_names_must_be_as_many_as_addresses() -> None:
    assert checks.problem(part("db", "10.244.1.3", hostnames=("a",))) == ""
    assert checks.problem(part("db", "10.244.1.3", hostnames=("a", "b"))) != ""
