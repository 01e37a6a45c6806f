"""Services: defaults, IP families, what an update keeps, and the fields of each type. As kube-apiserver 1.37."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master.api.errors import Invalid
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import SERVICE
from master.kinds.core.service.defaults import default_service_spec
from master.kinds.core.service.model import Service, ServiceSpec
from master.objects.meta import ObjectMeta

INVALID, FORBIDDEN, DUPLICATE = "FieldValueInvalid", "FieldValueForbidden", "FieldValueDuplicate"
Ports = list[tuple[str, int, int]]


def service(fields: dict[str, Any]) -> Service:
    spec = msgspec.convert({"ports": [{"port": 80}], "selector": {"a": "b"}, **fields}, ServiceSpec)
    return Service(metadata=ObjectMeta(name="s", namespace="default"), spec=spec)


async def create(resources: Resources, me: Caller, **fields: Any) -> ServiceSpec:
    return (await resources.create(me, SERVICE, service(fields), namespace="default")).spec


async def replaced(resources: Resources, me: Caller, **fields: Any) -> ServiceSpec:
    """The spec after an update with only these fields, as `kubectl replace` sends it."""
    return (await resources.update(me, SERVICE, service(fields))).spec


def ports(*listed: tuple[str, int, int]) -> list[dict[str, Any]]:
    return [{"name": name, "port": port, **({"nodePort": node} if node else {})} for name, port, node in listed]


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        pytest.param([("web", 80, 30005)], [("web", 81, 0)], [30005], id="another port"),
        pytest.param([("web", 80, 30005)], [("web", 80, 30006)], [30006], id="another node port"),
        pytest.param([("", 80, 30005)], [("", 90, 0)], [30005], id="without a name"),
        pytest.param(
            [("a", 80, 30005), ("b", 81, 30006)], [("b", 80, 0), ("a", 81, 0)], [30006, 30005], id="names are swapped"
        ),
        pytest.param(
            [("a", 80, 30005), ("b", 81, 30006)], [("a", 80, 30006), ("b", 81, 0)], [30006, None], id="taken by another"
        ),
        pytest.param([("a", 80, 30005)], [("b", 80, 0)], [None], id="another name"),
    ],
)
async def test_a_port_keeps_its_node_port_by_its_name(
    resources: Resources, me: Caller, old: Ports, new: Ports, kept: list[int | None]
) -> None:
    held = {node for _, _, node in old}
    await create(resources, me, type="NodePort", ports=ports(*old))
    spec = await replaced(resources, me, type="NodePort", ports=ports(*new))
    assert len({port.node_port for port in spec.ports}) == len(new)
    for port, expected in zip(spec.ports, kept, strict=True):
        assert port.node_port == expected or (expected is None and port.node_port not in held | {0})


async def test_values_that_a_type_does_not_have_are_dropped_and_come_back_as_new_ones(
    resources: Resources, me: Caller
) -> None:
    balanced = await create(resources, me, type="LoadBalancer", externalTrafficPolicy="Local")
    check = balanced.health_check_node_port
    assert check and check != balanced.ports[0].node_port
    same = await replaced(resources, me, type="LoadBalancer", externalTrafficPolicy="Local")
    assert same == balanced
    node_ports = await replaced(
        resources, me, type="NodePort", externalTrafficPolicy="Local", healthCheckNodePort=check
    )
    assert (node_ports.health_check_node_port, node_ports.allocate_load_balancer_node_ports) == (0, None)
    assert node_ports.ports == balanced.ports
    internal = await replaced(resources, me)
    assert (internal.external_traffic_policy, internal.ports[0].node_port) == ("", 0)
    assert internal.cluster_ip == balanced.cluster_ip
    external = await replaced(
        resources, me, type="ExternalName", externalName="x.example", clusterIP=internal.cluster_ip
    )
    assert (external.cluster_ip, external.cluster_ips, external.ip_families) == ("", (), ())
    assert (await replaced(resources, me)).ip_families == ("IPv4",)


async def test_a_balanced_service_may_go_without_node_ports(resources: Resources, me: Caller) -> None:
    spec = await create(resources, me, type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert [port.node_port for port in spec.ports] == [0]
    assert (spec.allocate_load_balancer_node_ports, spec.external_traffic_policy) == (False, "Cluster")


@pytest.mark.parametrize(
    ("fields", "families", "policy"),
    [
        pytest.param({}, ("IPv4",), "SingleStack", id="default"),
        pytest.param({"ipFamilyPolicy": "PreferDualStack"}, ("IPv4",), "PreferDualStack", id="preferred"),
        pytest.param({"clusterIP": "None"}, ("IPv4",), "SingleStack", id="headless"),
        pytest.param({"clusterIP": "None", "selector": {}}, ("IPv4", "IPv6"), "RequireDualStack", id="no selector"),
        pytest.param(
            {"clusterIP": "None", "selector": {}, "ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"},
            ("IPv6",),
            "SingleStack",
            id="no selector, one family",
        ),
        pytest.param({"type": "ExternalName", "externalName": "x.example"}, (), None, id="only a name"),
    ],
)
async def test_ip_families(
    resources: Resources, me: Caller, fields: dict[str, Any], families: tuple[str, ...], policy: str | None
) -> None:
    spec = await create(resources, me, **fields)
    assert (spec.ip_families, spec.ip_family_policy) == (families, policy)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"ipFamilies": ["IPv6"]}, [(INVALID, "ipFamilies[0]")], id="IPv6"),
        pytest.param({"ipFamilyPolicy": "RequireDualStack"}, [(INVALID, "ipFamilyPolicy")], id="two families"),
        pytest.param(
            {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv4"]},
            [(DUPLICATE, "ipFamilies[1]")],
            id="a family twice",
        ),
        pytest.param({"clusterIPs": ["10.96.0.50", "fd00::1"]}, [(INVALID, "clusterIPs")], id="two addresses"),
        pytest.param(
            {"clusterIP": "10.96.0.50", "clusterIPs": ["10.96.0.51"]}, [(INVALID, "clusterIPs")], id="two opinions"
        ),
        pytest.param({"clusterIP": "x"}, [(INVALID, "clusterIPs[0]")], id="not an address"),
        pytest.param({"clusterIP": "1.2.3.4"}, [(INVALID, "clusterIPs")], id="another network"),
        pytest.param(
            {"type": "NodePort", "clusterIP": "None"}, [(INVALID, "clusterIPs[0]")], id="headless, with ports"
        ),
        pytest.param(
            {"type": "ExternalName", "externalName": "x.example", "clusterIP": "10.96.0.50", "ipFamilies": ["IPv4"]},
            [(FORBIDDEN, "clusterIPs"), (FORBIDDEN, "ipFamilies")],
            id="a name with an address",
        ),
        pytest.param(
            {
                "allocateLoadBalancerNodePorts": True,
                "loadBalancerClass": "a",
                "loadBalancerSourceRanges": ["10.0.0.0/8"],
                "healthCheckNodePort": 30005,
                "externalTrafficPolicy": "Local",
            },
            [
                (FORBIDDEN, "loadBalancerClass"),
                (FORBIDDEN, "allocateLoadBalancerNodePorts"),
                (FORBIDDEN, "loadBalancerSourceRanges"),
                (INVALID, "externalTrafficPolicy"),
                (INVALID, "healthCheckNodePort"),
            ],
            id="a load balancer's fields",
        ),
        pytest.param(
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", "x"]},
            [(INVALID, "loadBalancerSourceRanges[1]")],
            id="a bad range",
        ),
        pytest.param(
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
            [(INVALID, "sessionAffinityConfig.clientIP.timeoutSeconds")],
            id="affinity for no time",
        ),
        pytest.param({"sessionAffinity": "Sticky"}, [("FieldValueNotSupported", "sessionAffinity")], id="affinity"),
        pytest.param({"trafficDistribution": "Far"}, [("FieldValueNotSupported", "trafficDistribution")], id="far"),
        pytest.param(
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 80},
            [(INVALID, "healthCheckNodePort")],
            id="a health check out of the range",
        ),
    ],
)
async def test_what_is_refused(
    resources: Resources, me: Caller, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with pytest.raises(Invalid) as refused:
        await create(resources, me, **fields)
    assert [(cause.reason, cause.field.removeprefix("spec.")) for cause in refused.value.causes] == expected


def test_the_timeout_of_affinity() -> None:
    def timeout(**fields: Any) -> int | None:
        config = default_service_spec(service(fields).spec).session_affinity_config
        return config.client_ip.timeout_seconds if config and config.client_ip else None

    seconds = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}
    assert timeout(sessionAffinity="ClientIP") == 10800
    assert timeout(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {}}) == 10800
    assert timeout(sessionAffinity="ClientIP", **seconds) == 5
    assert timeout(**seconds) is None


def test_a_service_with_external_addresses_is_reachable_from_outside() -> None:
    assert default_service_spec(service({"externalIPs": ["192.0.2.1"]}).spec).external_traffic_policy == "Cluster"
