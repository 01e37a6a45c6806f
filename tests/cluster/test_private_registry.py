"""Images of a private registry: Debian's docker-registry with TLS and a password, on a node's own address 127.0.0.1."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hull import processes
from lab.cluster import Cluster
from lab.environment import clean_environment
from lab.kubectl import Kubectl
from lab.layout import CACHE_ROOT
from netrig.plugin import eventually
from tests.cluster.manifests import pod

pytestmark = pytest.mark.cluster

NODE, ADDRESS = "node1", "127.0.0.1:5443"
IMAGE = f"{ADDRESS}/library/tomcat:latest"
ACCOUNT = "me:$2b$04$VUqLVHwbfFOPTPoCzttRBeEwmTEb5r5mn4V7xEQJvmMmkThaHikgS\n"
"""The user `me` with the password `right`, in the form of htpasswd."""


@pytest.fixture
def registry(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """A registry with the images of the lab. An engine takes any certificate of this address."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=registry"
    subprocess.run(
        ["openssl", *words.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    accounts, config = tmp_path / "htpasswd", tmp_path / "config.yml"
    accounts.write_text(ACCOUNT)
    config.write_text(
        "version: 0.1\n"
        "log: {level: warn, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {CACHE_ROOT / 'registry'}}}, "
        "maintenance: {readonly: {enabled: true}}}\n"
        f"http: {{addr: '{ADDRESS}', secret: test, tls: {{certificate: {certificate}, key: {key}}}}}\n"
        f"auth: {{htpasswd: {{realm: test, path: {accounts}}}}}\n"
    )
    running = processes.start(
        ["docker-registry", "serve", str(config)],
        log=tmp_path / "registry.log",
        env=clean_environment(OTEL_TRACES_EXPORTER="none"),
        netns=cluster.lab.host_paths(NODE).netns,
    )
    try:
        eventually(lambda: listens(running.pid))
        yield ADDRESS
    finally:
        processes.stop(running)


def listens(pid: int) -> bool:
    """Whether the registry's port is open in its network namespace."""
    return f"0100007F:{int(ADDRESS.partition(':')[2]):04X} 00000000:0000 0A" in Path(f"/proc/{pid}/net/tcp").read_text()


def credentials(kubectl: Kubectl, name: str, password: str) -> None:
    account = ("--docker-username=me", f"--docker-password={password}", "--docker-email=me@example.org")
    kubectl("create", "secret", "docker-registry", name, f"--docker-server={ADDRESS}", *account)


def private(name: str, *secrets: str) -> dict[str, Any]:
    container = {"image": IMAGE, "imagePullPolicy": "Always"}
    return dict(
        pod(name, container=container, nodeName=NODE, imagePullSecrets=[{"name": secret} for secret in secrets])
    )


def waiting(kubectl: Kubectl, name: str) -> str:
    """The message of the container that waits for its image; empty if it does not."""
    statuses = kubectl.json("get", "pod", name)["status"].get("containerStatuses", [])
    states = [each["state"].get("waiting", {}) for each in statuses]
    reasons = ("ErrImagePull", "ImagePullBackOff")
    return next((str(state["message"]) for state in states if state.get("reason") in reasons), "")


def test_the_first_right_secret_of_the_pod_is_used(kubectl: Kubectl, registry: str) -> None:
    credentials(kubectl, "wrong", "bad")
    credentials(kubectl, "regcred", "right")
    kubectl.create(private("both", "wrong", "regcred"))
    kubectl("wait", "--for=condition=Ready", "pod/both", "--timeout=60s")


def test_a_refusal_names_the_secret_and_a_corrected_one_is_tried_at_once(kubectl: Kubectl, registry: str) -> None:
    kubectl.create(private("none"))
    credentials(kubectl, "regcred", "bad")
    kubectl.create(private("one", "regcred"))
    # The engine asks this address without TLS too, and reports only that.
    assert "with the credentials" not in str(eventually(lambda: waiting(kubectl, "none")))
    message = str(eventually(lambda: waiting(kubectl, "one")))
    namespace = kubectl.namespace
    assert f'with the credentials of secret "{namespace}/regcred"' in message and "unauthorized" in message
    kubectl("delete", "secret", "regcred")
    eventually(lambda: waiting(kubectl, "one"))
    credentials(kubectl, "regcred", "right")
    kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")


def test_an_image_that_was_pulled_with_a_secret_is_not_for_other_pods(kubectl: Kubectl, registry: str) -> None:
    credentials(kubectl, "regcred", "right")
    kubectl.create(private("owner", "regcred"))
    kubectl("wait", "--for=condition=Ready", "pod/owner", "--timeout=60s")
    for policy, reason in (("IfNotPresent", "ErrImagePull"), ("Never", "ErrImageNeverPull")):
        other = private(f"other-{policy.lower()}")
        other["spec"]["containers"][0]["imagePullPolicy"] = policy
        kubectl.create(other)
        eventually(lambda name=other["metadata"]["name"], reason=reason: reason in reasons(kubectl, name))
    again = private("again", "regcred")
    again["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    kubectl.create(again)
    kubectl("wait", "--for=condition=Ready", "pod/again", "--timeout=60s")


def reasons(kubectl: Kubectl, name: str) -> str:
    """The reasons of all events of the pod, and the messages of its failures."""
    events = kubectl.json("get", "events", f"--field-selector=involvedObject.name={name}")["items"]
    return " ".join(f"{event['reason']} {event['message']}" for event in events)
