"""The commands of unmodified kubectls that read what the server says about itself, against a master on loopback."""

from __future__ import annotations

import json

import pytest

from tests.service.master.kubectls import KUBECTLS, Kubectl

pytestmark = pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: c, image: nginx}
"""


def test_the_server_and_its_resources_are_listed(kubectl: Kubectl) -> None:
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["minor"] == "37"
    assert {"v1", "discovery.k8s.io/v1"} <= set(kubectl("api-versions").split())
    rows = [line.split() for line in kubectl("api-resources", "--no-headers").splitlines()]
    assert ["pods", "po", "v1", "true", "Pod"] in rows
    assert ["priorityclasses", "pc", "scheduling.k8s.io/v1", "false", "PriorityClass"] in rows
    assert kubectl("get", "--raw", "/readyz?verbose").endswith("readyz check passed\n")


def test_fields_are_explained(kubectl: Kubectl) -> None:
    ports = kubectl("explain", "pod.spec.containers.ports")
    assert "A port on which the container listens, 1 to 65535." in ports
    assert "containerPort" in ports and "required" in ports
    priority = kubectl("explain", "priorityclasses.preemptionPolicy").split()
    assert "preemptionPolicy" in priority and "important" in priority
    every = kubectl("explain", "rc", "--recursive")
    assert "terminationGracePeriodSeconds" in every


def test_a_manifest_is_validated_before_it_is_created(kubectl: Kubectl) -> None:
    created = kubectl("create", "--dry-run=server", "-f", "-", stdin=POD)
    assert created == "pod/web created (server dry run)\n"
    assert kubectl("get", "pods", "-o", "name") == ""
    for wrong, named in (("image:", "imagee:"), "imagee"), (("name: c", "name: [c]"), "containers"):
        with pytest.raises(AssertionError, match=named):
            kubectl("create", "-f", "-", stdin=POD.replace(*wrong))
