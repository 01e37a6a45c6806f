"""Failed pulls: the message names the cause. The texts are those of Docker 20.10 to 28, Podman 4 and Docker Hub."""

from __future__ import annotations

import pytest

from agent.runtime.errors import ImageNotFound, PullFailed, RuntimeFault
from agent.runtime.pullfaults import pull_fault
from agent.runtime.references import parse

IMAGE = "r.example:5000/team/app:1"
GET = 'Get "https://r.example:5000/v2/": '


@pytest.mark.parametrize(
    ("text", "kind", "cause"),
    [
        (GET + "dial tcp: lookup r.example on 10.0.0.1:53: no such host", PullFailed, "r.example:5000 cannot be reach"),
        (GET + "dial tcp 192.0.2.1:5000: connect: connection refused", PullFailed, "cannot be reached"),
        (GET + "dial tcp 192.0.2.1:5000: i/o timeout", PullFailed, "cannot be reached"),
        (GET + "net/http: request canceled (Client.Timeout exceeded while awaiting headers)", PullFailed, "be reached"),
        (GET + "x509: certificate signed by unknown authority", PullFailed, "do not agree on TLS"),
        (GET + "http: server gave HTTP response to HTTPS client", PullFailed, "do not agree on TLS"),
        (GET + "remote error: tls: handshake failure", PullFailed, "do not agree on TLS"),
        (GET + "no basic auth credentials", PullFailed, "denies access without credentials"),
        ("unauthorized: authentication required", PullFailed, "denies access without credentials"),
        (
            "pull access denied for team/app, repository does not exist or may require 'docker login': denied: "
            "requested access to the resource is denied",
            ImageNotFound,
            "does not have it, or denies access without credentials",
        ),
        ("manifest for r.example:5000/team/app:1 not found: manifest unknown", ImageNotFound, "does not have it"),
        ("name unknown: repository name not known to registry", ImageNotFound, "does not have it"),
        (
            "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase",
            PullFailed,
            "limits the rate of pulls",
        ),
        ("write /var/lib/docker/tmp/x: no space left on device", PullFailed, "no space is left on the node's disk"),
        ("open /var/lib/docker/tmp/x: read-only file system", PullFailed, "the node's disk is read-only"),
        ("something else", PullFailed, "something else"),
    ],
)
def test_the_cause_is_named(text: str, kind: type[RuntimeFault], cause: str) -> None:
    fault = pull_fault(text, IMAGE, parse(IMAGE), source="")
    assert type(fault) is kind
    assert str(fault).startswith(f'Failed to pull image "{IMAGE}": ') and cause in str(fault) and text in str(fault)


@pytest.mark.parametrize("image", ["r.example:5000/team/tls:1", "r.example:5000/denied", "team/forbidden"])
def test_the_images_name_is_not_taken_for_the_cause(image: str) -> None:
    reference = parse(image)
    text = f"manifest for {reference.repository}:{reference.tag} not found: manifest unknown: manifest unknown"
    assert type(pull_fault(text, image, reference, source="")) is ImageNotFound


def test_a_cause_that_reads_like_an_image_is_found() -> None:
    text = "remote error: tls: handshake failure"
    assert "do not agree on TLS" in str(pull_fault(text, "tls", parse("tls"), source=""))


def test_refused_credentials_are_named() -> None:
    fault = pull_fault("unauthorized: incorrect password", IMAGE, parse(IMAGE), source='secret "default/key"')
    assert 'denies access with the credentials of secret "default/key"' in str(fault)
