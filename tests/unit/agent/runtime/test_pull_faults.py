"""Failed pulls: the message names the cause. The texts are those of engines and registries."""

from __future__ import annotations

import pytest

from agent.runtime.errors import ImageNotFound, PullDenied, PullFailed, RuntimeFault
from agent.runtime.pullfaults import pull_fault
from agent.runtime.references import parse

IMAGE = "r.example:5000/team/app:1"
GET = 'Get "https://r.example:5000/v2/": '
MANIFEST = "https://r.example:5000/v2/team/app/manifests/1"

REACH = "the registry r.example:5000 cannot be reached"
TLS = "the registry r.example:5000 and this node do not agree on TLS"
DENIED = "the registry r.example:5000 denies access without credentials"
EITHER = "the registry r.example:5000 does not have it, or denies access without credentials"
MISSING = "the registry r.example:5000 does not have it"
PLATFORM = "the registry r.example:5000 does not have it for this node's platform"
RATE, FAILS = "the registry r.example:5000 limits the rate of pulls", "the registry r.example:5000 fails"
FULL = "no space is left on the node's disk"

DOCKER = [
    (GET + "dial tcp: lookup r.example on 10.0.0.1:53: no such host", PullFailed, REACH),
    (GET + "dial tcp: lookup r.example on 10.0.0.1:53: server misbehaving", PullFailed, REACH),
    (GET + "dial tcp 192.0.2.1:5000: connect: connection refused", PullFailed, REACH),
    (GET + "dial tcp 192.0.2.1:5000: i/o timeout", PullFailed, REACH),
    (GET + "dial tcp 192.0.2.1:5000: connect: no route to host", PullFailed, REACH),
    (GET + "net/http: TLS handshake timeout", PullFailed, REACH),
    (GET + "net/http: request canceled (Client.Timeout exceeded while awaiting headers)", PullFailed, REACH),
    (GET + "net/http: request canceled while waiting for connection", PullFailed, REACH),
    (GET + "context deadline exceeded", PullFailed, REACH),
    (GET + "EOF", PullFailed, REACH),
    ("error pulling image configuration: download failed after attempts=1: unexpected EOF", PullFailed, REACH),
    (
        GET + "proxyconnect tcp: dial tcp 192.0.2.9:3128: connect: connection refused",
        PullFailed,
        "the proxy to the registry r.example:5000 cannot be used",
    ),
    (GET + "Proxy Authentication Required", PullFailed, "the proxy to the registry r.example:5000 cannot be used"),
    (GET + "x509: certificate signed by unknown authority", PullFailed, TLS),
    (GET + "tls: failed to verify certificate: x509: certificate has expired or is not yet valid", PullFailed, TLS),
    (GET + "http: server gave HTTP response to HTTPS client", PullFailed, TLS),
    (GET + "remote error: tls: handshake failure", PullFailed, TLS),
    (GET + r'net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03"', PullFailed, TLS),
    (GET + "no basic auth credentials", PullDenied, DENIED),
    ("unauthorized: authentication required", PullDenied, DENIED),
    ("unauthorized: access to the requested resource is not authorized", PullDenied, DENIED),
    ("denied: denied", PullDenied, DENIED),
    (
        "pull access denied for r.example:5000/team/app, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied",
        PullDenied,
        EITHER,
    ),
    ("repository r.example:5000/team/app not found: does not exist or no pull access", PullDenied, EITHER),
    ("manifest for r.example:5000/team/app:1 not found: manifest unknown: manifest unknown", ImageNotFound, MISSING),
    ("name unknown: repository name not known to registry", ImageNotFound, MISSING),
    (
        "no matching manifest for linux/arm64/v8 in the manifest list entries: no match for platform in manifest: "
        "not found",
        ImageNotFound,
        PLATFORM,
    ),
    (
        "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase",
        PullFailed,
        RATE,
    ),
    ("error parsing HTTP 429 response body: invalid character 'T': \"Too Many Requests\"", PullFailed, RATE),
    ("received unexpected HTTP status: 503 Service Unavailable", PullFailed, FAILS),
    ("received unexpected HTTP status: 500 Internal Server Error", PullFailed, FAILS),
    ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", PullFailed, FULL),
    (
        "failed to register layer: ApplyLayer exit status 1 stdout:  stderr: write /usr/x: no space left on device",
        PullFailed,
        FULL,
    ),
    ("open /var/lib/docker/tmp/x: read-only file system", PullFailed, "the node's disk is read-only"),
    ("failed to register layer: read /x: input/output error", PullFailed, "the node's disk fails"),
]

CONTAINERD = [
    (
        f'failed to do request: Head "{MANIFEST}": dial tcp 192.0.2.1:5000: connect: connection refused',
        PullFailed,
        REACH,
    ),
    (f'failed to resolve reference "{IMAGE}": {IMAGE}: not found', ImageNotFound, MISSING),
    (
        f'failed to resolve reference "{IMAGE}": pull access denied, repository does not exist or may require '
        "authorization: server message: insufficient_scope: authorization failed",
        PullDenied,
        EITHER,
    ),
    (
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
        "https://auth.example/token: 401 Unauthorized",
        PullDenied,
        DENIED,
    ),
    (f"unexpected status from HEAD request to {MANIFEST}: 403 Forbidden", PullDenied, DENIED),
    (f"unexpected status from HEAD request to {MANIFEST}: 429 Too Many Requests", PullFailed, RATE),
]
"""Docker with the image store of containerd."""

PODMAN = [
    (
        f"initializing source docker://{IMAGE}: pinging container registry r.example:5000: {GET}dial tcp: "
        "lookup r.example: no such host",
        PullFailed,
        REACH,
    ),
    (
        f"initializing source docker://{IMAGE}: pinging container registry r.example:5000: {GET}tls: failed to verify "
        "certificate: x509: certificate signed by unknown authority",
        PullFailed,
        TLS,
    ),
    (f"reading manifest 1 in {IMAGE[:-2]}: manifest unknown", ImageNotFound, MISSING),
    (f"reading manifest 1 in {IMAGE[:-2]}: authentication required", PullDenied, DENIED),
    (f"reading manifest 1 in {IMAGE[:-2]}: requested access to the resource is denied", PullDenied, EITHER),
    ("unable to retrieve auth token: invalid username/password: unauthorized: incorrect username", PullDenied, DENIED),
    ("Requesting bearer token: invalid status code from registry 403 (Forbidden)", PullDenied, DENIED),
    ("reading blob sha256:1: fetching blob: received unexpected HTTP status: 502 Bad Gateway", PullFailed, FAILS),
    (
        'choosing an image from manifest list: no image found in image index for architecture arm64, variant "v8"',
        ImageNotFound,
        PLATFORM,
    ),
    (
        'writing blob: storing blob to file "/var/tmp/storage1/1": write /var/tmp/1: no space left on device',
        PullFailed,
        FULL,
    ),
]


@pytest.mark.parametrize(("text", "kind", "cause"), DOCKER + CONTAINERD + PODMAN)
def test_the_cause_is_named(text: str, kind: type[RuntimeFault], cause: str) -> None:
    fault = pull_fault(text, IMAGE, parse(IMAGE), source="")
    assert type(fault) is kind and str(fault).startswith(cause + ": ") and str(fault).endswith(text)


def test_another_cause_is_the_engines_text() -> None:
    assert str(pull_fault("something else", IMAGE, parse(IMAGE), source="")) == "something else"


@pytest.mark.parametrize("image", ["r.example:5000/team/tls:1", "r.example:5000/denied", "team/forbidden"])
@pytest.mark.parametrize(
    "form",
    [
        "manifest for {0}:{1} not found: manifest unknown: manifest unknown",
        'failed to resolve reference "{0}:{1}": {0}:{1}: not found',
        "unexpected status from HEAD request to https://r.example/v2/{2}/manifests/{1}: 404 Not Found",
    ],
)
def test_the_images_name_is_not_taken_for_the_cause(image: str, form: str) -> None:
    reference = parse(image)
    text = form.format(reference.repository, reference.tag, reference.repository.partition("5000/")[2] or image)
    assert type(pull_fault(text, image, reference, source="")) is ImageNotFound


def test_a_cause_that_reads_like_an_image_is_found() -> None:
    text = "remote error: tls: handshake failure"
    assert "do not agree on TLS" in str(pull_fault(text, "tls", parse("tls"), source=""))


def test_refused_credentials_are_named() -> None:
    fault = pull_fault("unauthorized: incorrect password", IMAGE, parse(IMAGE), source='secret "default/key"')
    assert 'denies access with the credentials of secret "default/key"' in str(fault)
