"""The example manifests: the project's copies, and the front end taken from them."""

from __future__ import annotations

from client.manifest import read
from lab.workloads import EXAMPLES, FRONT_END_PORT, example


def test_the_front_end_s_service_is_the_one_of_tomcat_yaml() -> None:
    (alone,) = read(example("tomcat-service.yaml"))
    services = [found.document for found in read(example("tomcat.yaml")) if found.document["kind"] == "Service"]
    assert [alone.document] == services
    assert FRONT_END_PORT in [port.get("nodePort") for port in alone.document["spec"]["ports"]]


def test_what_up_applies_is_readable() -> None:
    kinds = [found.document["kind"] for path in EXAMPLES for found in read(path)]
    assert kinds.count("ReplicationController") == 3
    assert kinds.count("Service") == 3
