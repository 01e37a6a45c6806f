"""The example manifests, and the separate ones of the front end."""

from __future__ import annotations

from client.manifest import read
from lab.workloads import EXAMPLES, FRONT_END_PORT, example


def test_the_front_end_s_service_is_the_one_of_tomcat_yaml() -> None:
    (service,) = read(example("tomcat-service.yaml"))
    services = [item.document for item in read(example("tomcat.yaml")) if item.document["kind"] == "Service"]
    assert [service.document] == services
    assert FRONT_END_PORT in [port.get("nodePort") for port in service.document["spec"]["ports"]]


def test_the_manifests_of_up_are_readable() -> None:
    kinds = [item.document["kind"] for path in EXAMPLES for item in read(path)]
    assert kinds.count("ReplicationController") == 3
    assert kinds.count("Service") == 3
