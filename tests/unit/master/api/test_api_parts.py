"""Small parts of the API: patches, unknown fields, texts in tables, representations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from master.api.errors import NotAcceptable
from master.api.patches.mergepatch import merge
from master.api.rest.answers import negotiate
from master.api.rest.query import Query
from master.api.rest.routes import Routes, Target, resolve, segments
from master.kinds import NODE, POD, registry
from master.kinds.core.node import Node, NodeCondition, NodeSpec, NodeStatus
from master.kinds.core.pod.container import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from master.kinds.core.pod.defaults import pull_policy
from master.kinds.core.pod.model import Pod, PodSpec, PodStatus
from master.kinds.core.pod.table import PODS
from master.kinds.core.service.resource import SERVICE
from master.objects.meta import ObjectMeta, json_name, parse_time, timestamp
from master.registry.registry import Registry
from master.registry.table import duration
from master.schema.models import struct_of
from master.schema.pruning import UnknownField, prune

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REGISTRY = registry()


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("cluster_ip", "clusterIP"),
        ("cluster_ips", "clusterIPs"),
        ("pod_cidrs", "podCIDRs"),
        ("host_ipc", "hostIPC"),
        ("set_hostname_as_fqdn", "setHostnameAsFQDN"),
        ("continue_", "continue"),
        ("qos_class", "qosClass"),
        ("system_uuid", "systemUUID"),
        ("api_version", "apiVersion"),
    ],
)
def test_json_names(attribute: str, name: str) -> None:
    assert json_name(attribute) == name


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result


def test_unknown_fields_are_named_with_a_suggestion() -> None:
    unknown: list[UnknownField] = []
    value = {
        "metadata": {"name": "a", "creationTimestamp": None},
        "psec": {},
        "spec": {"ports": [{"port": 80, "tragetPort": 1}], "spector": {}, "zzz": 1},
        "selector": {},
    }
    assert prune(value, SERVICE.schema.tree, unknown) == {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert [(field.path, field.suggestion) for field in unknown] == [
        ("psec", "spec"),
        ("spec.ports[0].tragetPort", "targetPort"),
        ("spec.spector", "selector"),
        ("spec.zzz", ""),
        ("selector", "spec.selector"),
    ]


def test_quantities_may_come_as_numbers() -> None:
    unknown: list[UnknownField] = []
    tidied = prune({"resources": {"limits": {"cpu": 1, "memory": 0.5}}}, struct_of(Container), unknown)
    assert tidied == {"resources": {"limits": {"cpu": "1", "memory": "0.5"}}}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (130, "2m10s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (12000, "3h20m"),
        (90000, "25h"),
        (200000, "2d7h"),
        (86400 * 30, "30d"),
        (86400 * 800, "2y70d"),
        (-5, "<invalid>"),
    ],
)
def test_durations_have_the_form_of_kubectl(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_whole_seconds_in_utc() -> None:
    assert timestamp(NOW) == "2026-01-01T00:00:00Z"
    assert parse_time(timestamp(NOW)) == NOW


@pytest.mark.parametrize(
    ("accept", "table"),
    [
        ("", ""),
        ("application/json", ""),
        ("*/*", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "meta.k8s.io/v1"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", "meta.k8s.io/v1beta1"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", ""),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", ""),
        ("application/vnd.kubernetes.protobuf,application/json", ""),
    ],
)
def test_the_first_supported_representation_is_chosen(accept: str, table: str) -> None:
    assert negotiate(accept).table == table


def test_an_unsupported_representation_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable):
        negotiate("application/vnd.kubernetes.protobuf")


@pytest.mark.parametrize(
    ("path", "kind", "namespace", "name", "subresource"),
    [
        ("/api/v1/namespaces", "Namespace", "", "", ""),
        ("/api/v1/namespaces/a/", "Namespace", "", "a", ""),
        ("/api/v1/namespaces/a/status", "Namespace", "", "a", "status"),
        ("/api/v1/namespaces/a/pods", "Pod", "a", "", ""),
        ("/api/v1/namespaces/a/pods/b/log", "Pod", "a", "b", "log"),
        ("/api/v1/pods", "Pod", "", "", ""),
        ("/api/v1/nodes/n%31", "Node", "", "n1", ""),
        ("/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice", "", "", ""),
    ],
)
def test_paths(path: str, kind: str, namespace: str, name: str, subresource: str) -> None:
    route = resolve(REGISTRY, segments(path))
    served = route.subresource.name if route.subresource else ""
    assert (route.resource.kind, route.namespace, route.name, served) == (kind, namespace, name, subresource)


def test_a_path_is_unknown_again_when_its_kind_is_gone() -> None:
    served = Registry([POD])
    routes = Routes(served)
    path = "/api/v1/namespaces/a/pods/b"
    first = routes.find(path)
    assert first.route is not None
    assert routes.find(path) is first
    served.remove(POD)
    assert routes.find(path).is_resource
    assert routes.find(path).route is None


def test_routes_of_any_number_of_paths_are_found() -> None:
    routes = Routes(REGISTRY)
    for number in range(3000):
        path = f"/api/v1/namespaces/a/pods/{number}"
        route = routes.find(path).route
        assert route is not None and route.name == str(number)
    before = len(routes)
    long = routes.find("/api/v1/pods?namespace=" + "b" * 10_000).route
    assert long is not None and long.name == ""
    assert len(routes) == before <= 1024


def test_a_url_names_its_parts_and_parameters() -> None:
    routes = Routes(REGISTRY)
    for _ in range(2):
        target = routes.find("/api/v1/nodes/n%31/?watch=1&pretty")
        assert (target.parts, target.is_resource) == (["api", "v1", "nodes", "n1"], True)
        assert target.query.flag("watch") and target.query.flag("pretty")
        assert target.route is not None and target.route.name == "n1"
    assert routes.find("/version") == Target(["version"], Query.of(""))


def _status(**state: Any) -> ContainerStatus:
    return ContainerStatus(name="a", state=ContainerState(**state), restart_count=2, ready="running" in state)


@pytest.mark.parametrize(
    ("pod", "ready", "status", "restarts"),
    [
        (Pod(status=PodStatus(phase="Pending")), "0/1", "Pending", "0"),
        (
            Pod(status=PodStatus(phase="Running", container_statuses=(_status(running=ContainerStateRunning()),))),
            "1/1",
            "Running",
            "2",
        ),
        (
            Pod(
                status=PodStatus(
                    phase="Running",
                    container_statuses=(_status(waiting=ContainerStateWaiting(reason="CrashLoopBackOff")),),
                )
            ),
            "0/1",
            "CrashLoopBackOff",
            "2",
        ),
        (
            Pod(
                status=PodStatus(
                    phase="Failed", container_statuses=(_status(terminated=ContainerStateTerminated(exit_code=3)),)
                )
            ),
            "0/1",
            "ExitCode:3",
            "2",
        ),
        (
            Pod(metadata=ObjectMeta(deletion_timestamp="2026-01-01T00:00:30Z"), status=PodStatus(phase="Running")),
            "0/1",
            "Terminating",
            "0",
        ),
    ],
)
def test_the_row_of_a_pod_has_its_most_telling_state(pod: Pod, ready: str, status: str, restarts: str) -> None:
    pod = Pod(metadata=pod.metadata, spec=PodSpec(containers=(Container(name="a"),)), status=pod.status)
    assert list(PODS.cells(pod, NOW))[1:4] == [ready, status, restarts]


@pytest.mark.parametrize(
    ("condition", "unschedulable", "status"),
    [
        ("True", False, "Ready"),
        ("True", True, "Ready,SchedulingDisabled"),
        ("False", False, "NotReady"),
        ("Unknown", False, "NotReady"),
        ("", False, "Unknown"),
    ],
)
def test_the_row_of_a_node_has_its_state(condition: str, unschedulable: bool, status: str) -> None:
    conditions = (NodeCondition(type="Ready", status=condition),) if condition else ()
    node = Node(spec=NodeSpec(unschedulable=unschedulable), status=NodeStatus(conditions=conditions))
    assert NODE.table.cells(node, NOW)[1] == status
