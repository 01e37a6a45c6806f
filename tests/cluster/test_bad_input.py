"""Wrong input gets a clear answer that names the field or the cause: no traceback, no half-made object."""

from __future__ import annotations

import datetime
import json
import ssl
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from client.errors import ConnectionFailed, StatusError
from client.rest import RestClient
from client.tls import context_for
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, replication_controller, service

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "lab" / "examples"
PODS, SERVICES, RCS = (
    f"/api/v1/namespaces/{{namespace}}/{plural}" for plural in ("pods", "services", "replicationcontrollers")
)


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one field set; `path` is dotted, numbers index lists."""
    copy = deepcopy(document)
    place: Any = copy
    *before, last = path.split(".")
    for step in before:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[int(last) if last.isdigit() else last] = value
    return copy


WEB = pod("web", labels={"app": "web"})
SVC = service("web", app="web")
RC = replication_controller("web", 1)

REFUSED = [
    pytest.param(PODS, changed(WEB, "metadata.name", "No_Such"), "metadata.name", id="bad name"),
    pytest.param(PODS, changed(WEB, "metadata.labels", {"a b": "c"}), "metadata.labels", id="bad label key"),
    pytest.param(PODS, changed(WEB, "metadata.labels", {"a": "-x-"}), "metadata.labels", id="bad label value"),
    pytest.param(
        PODS,
        changed(WEB, "spec.containers.0.ports", [{"containerPort": 70000}]),
        "spec.containers[0].ports[0].containerPort",
        id="port out of range",
    ),
    pytest.param(
        PODS,
        changed(WEB, "spec.containers.0.resources", {"limits": {"cpu": "lots"}}),
        "spec.containers[0].resources.limits",
        id="bad quantity",
    ),
    pytest.param(PODS, changed(WEB, "spec.containers", []), "spec.containers", id="no container"),
    pytest.param(PODS, changed(WEB, "spec.containers.0.image", ""), "spec.containers[0].image", id="no image"),
    pytest.param(PODS, changed(WEB, "spec.restartPolicy", "Sometimes"), "spec.restartPolicy", id="restart policy"),
    pytest.param(
        PODS,
        changed(WEB, "spec.containers.0.volumeMounts", [{"name": "none", "mountPath": "/x"}]),
        "spec.containers[0].volumeMounts[0].name",
        id="missing volume",
    ),
    pytest.param(SERVICES, changed(SVC, "spec.ports.0.port", 0), "spec.ports[0].port", id="service port 0"),
    pytest.param(
        SERVICES,
        changed(changed(SVC, "spec.type", "NodePort"), "spec.ports.0.nodePort", 80),
        "spec.ports[0].nodePort",
        id="node port out of range",
    ),
    pytest.param(SERVICES, changed(SVC, "spec.clusterIP", "192.0.2.1"), "spec.clusterIP", id="cluster IP out of range"),
    pytest.param(
        SERVICES,
        changed(SVC, "spec.ports", [{"port": 1}, {"port": 2}]),
        "spec.ports[0].name",
        id="several ports without names",
    ),
    pytest.param(RCS, changed(RC, "spec.selector", {"app": "other"}), "spec.template.metadata.labels", id="selector"),
    pytest.param(RCS, changed(RC, "spec.replicas", -1), "spec.replicas", id="negative replicas"),
]


@pytest.mark.parametrize(("path", "document", "field"), REFUSED)
def test_a_wrong_field_is_refused_and_its_path_named(
    api: RestClient, namespace: str, path: str, document: dict[str, Any], field: str
) -> None:
    collection = path.format(namespace=namespace)
    with pytest.raises(StatusError) as refusal:
        api.create(collection, document)
    assert (refusal.value.code, refusal.value.reason) == (422, "Invalid")
    fields = [cause["field"] for cause in refusal.value.details["causes"]]
    assert any(name.startswith(field) for name in fields), fields
    assert field in str(refusal.value)
    assert api.get(collection)["items"] == []


@pytest.mark.parametrize(
    ("selector", "word"),
    [
        pytest.param({"labelSelector": "a in b"}, "found 'b'", id="label selector"),
        pytest.param({"fieldSelector": "spec.colour=red"}, "spec.colour", id="field that cannot be selected"),
    ],
)
def test_a_bad_selector_is_a_bad_request(api: RestClient, namespace: str, selector: dict[str, str], word: str) -> None:
    with pytest.raises(StatusError) as refusal:
        api.get(PODS.format(namespace=namespace), selector)
    assert refusal.value.code == 400
    assert word in str(refusal.value)


def test_a_node_port_that_is_taken_is_refused(kubectl: Kubectl, api: RestClient, namespace: str) -> None:
    first = changed(changed(SVC, "spec.type", "NodePort"), "spec.ports.0.nodePort", 30999)
    kubectl.create(first)
    with pytest.raises(StatusError) as refusal:
        api.create(SERVICES.format(namespace=namespace), changed(first, "metadata.name", "second"))
    assert refusal.value.code == 422
    assert "30999" in str(refusal.value) and "allocated" in str(refusal.value)
    assert len(api.get(SERVICES.format(namespace=namespace))["items"]) == 1


def test_an_unknown_field_is_named_with_a_suggestion(api: RestClient, namespace: str) -> None:
    wrong = changed(SVC, "spec.spector", {"app": "web"})
    collection = SERVICES.format(namespace=namespace)
    with pytest.raises(StatusError) as refusal:
        api.create(collection, wrong, {"fieldValidation": "Strict"})
    assert refusal.value.code == 400
    assert "spec.spector" in str(refusal.value) and 'did you mean "selector"' in str(refusal.value)
    warnings: list[str] = []
    with RestClient(api.access, on_warning=warnings.append) as warned:
        made = warned.create(collection, wrong)
    assert "spector" not in made["spec"]
    assert any("spec.spector" in text for text in warnings), warnings


def test_a_misspelt_manifest_is_refused(kubectl: Kubectl, cluster: Cluster) -> None:
    done = sampan(cluster, "apply", "-f", str(EXAMPLES / "misspelt.yaml"), "-n", kubectl.namespace)
    assert done.returncode != 0
    assert "psec" in done.stderr and "Deployment" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("kind: [Pod\n", ["line"], id="invalid YAML"),
        pytest.param("apiVersion: v1\nkind: Pot\nmetadata: {name: x}\n", ["Pot"], id="unknown kind"),
        pytest.param("apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: []}\n", ["name"], id="no name"),
        pytest.param("just text\n", ["object"], id="not an object"),
    ],
)
def test_sampan_apply_names_the_file_and_its_mistake(
    cluster: Cluster, tmp_path: Path, text: str, words: list[str]
) -> None:
    manifest = tmp_path / "wrong.yaml"
    manifest.write_text(text)
    done = sampan(cluster, "apply", "-f", str(manifest))
    assert done.returncode == 1
    assert "wrong.yaml" in done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        pytest.param(b"{", "application/json", 400, id="half a JSON object"),
        pytest.param(b"\xff\xfe", "application/json", 400, id="not UTF-8"),
        pytest.param(b"[" * 100_000, "application/json", 400, id="deep nesting"),
        pytest.param(b"a: [", "application/yaml", 400, id="invalid YAML"),
        pytest.param(b"<pod/>", "application/xml", 415, id="unknown content type"),
        pytest.param(json.dumps({**WEB, "kind": "Service"}).encode(), "application/json", 400, id="another kind"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    api: RestClient, namespace: str, body: bytes, content_type: str, code: int
) -> None:
    answer = raw(api, "POST", PODS.format(namespace=namespace), body=body, headers={"Content-Type": content_type})
    status = answer.json()
    assert (answer.status, status["kind"], status["code"]) == (code, "Status", code)
    assert status["message"] and "Traceback" not in status["message"]


def test_a_body_of_100_mb_is_refused_and_not_kept_in_memory(cluster: Cluster, api: RestClient, namespace: str) -> None:
    before = resident_bytes(cluster)

    def body() -> Any:
        yield b'{"metadata": {"name": "'
        for _ in range(100):
            yield b"x" * 1_000_000

    try:
        answer = raw(api, "POST", PODS.format(namespace=namespace), body=body(), headers={})
        assert (answer.status, answer.json()["kind"]) == (413, "Status")
    except urllib3.exceptions.HTTPError as error:
        # The server may close the connection early: the client then misses the response, but the request is refused.
        assert isinstance(error, urllib3.exceptions.ProtocolError | urllib3.exceptions.SSLError), error
    declared = raw(api, "POST", PODS.format(namespace=namespace), body=b"", headers={"Content-Length": "100000000"})
    assert declared.status == 413
    assert resident_bytes(cluster) - before < 20_000_000
    assert api.get(PODS.format(namespace=namespace))["items"] == []


def resident_bytes(cluster: Cluster) -> int:
    import psutil

    record = cluster.record("master")
    assert record is not None
    return int(psutil.Process(record.pid).memory_info().rss)


def test_a_missing_image_is_reported_in_status_and_events(kubectl: Kubectl) -> None:
    kubectl.create(pod("ghost", container={"image": "no/such-image"}))

    def waiting() -> dict[str, str]:
        statuses = kubectl.json("get", "pod", "ghost")["status"].get("containerStatuses") or [{}]
        return dict(statuses[0].get("state", {}).get("waiting") or {})

    eventually(lambda: waiting().get("reason") in ("ErrImagePull", "ImagePullBackOff"))
    eventually(lambda: "no/such-image" in waiting().get("message", ""))
    eventually(lambda: "Failed" in kubectl("get", "events"))


def test_a_url_in_place_of_an_image_is_the_containers_fault(kubectl: Kubectl) -> None:
    kubectl.create(pod("url", container={"image": "http://registry.example/app"}))

    def reason() -> str:
        statuses = kubectl.json("get", "pod", "url")["status"].get("containerStatuses") or [{}]
        return str(statuses[0].get("state", {}).get("waiting", {}).get("reason"))

    eventually(lambda: reason() == "InvalidImageName")
    eventually(lambda: "InspectFailed" in kubectl("get", "events"))


def test_a_pod_that_fits_nowhere_stays_pending_with_a_reason(kubectl: Kubectl) -> None:
    kubectl.create(
        pod("huge", container={"resources": {"requests": {"cpu": "1000"}}}), pod("picky", nodeSelector={"a": "b"})
    )

    def condition(name: str) -> dict[str, str]:
        conditions = kubectl.json("get", "pod", name)["status"].get("conditions") or []
        return next((dict(entry) for entry in conditions if entry["type"] == "PodScheduled"), {})

    eventually(lambda: condition("huge").get("reason") == "Unschedulable")
    assert "3 Insufficient cpu" in condition("huge")["message"]
    eventually(lambda: condition("picky").get("reason") == "Unschedulable")
    assert "node selector" in condition("picky")["message"] or "nodeSelector" in condition("picky")["message"]
    eventually(lambda: "FailedScheduling" in kubectl("get", "events"))


def test_a_dry_run_stores_nothing(api: RestClient, namespace: str) -> None:
    made = api.create(PODS.format(namespace=namespace), WEB, {"dryRun": "All"})
    assert made["metadata"]["uid"]
    assert api.get(PODS.format(namespace=namespace))["items"] == []


class TestStrangers:
    def test_a_client_without_a_certificate_can_neither_read_nor_write(self, api: RestClient, namespace: str) -> None:
        authority = ssl.create_default_context(cadata=_pem(api))
        with urllib3.PoolManager(ssl_context=authority, retries=False) as pool:
            for method, path in [
                ("GET", "/api/v1/secrets"),
                ("GET", PODS.format(namespace=namespace)),
                ("POST", PODS.format(namespace=namespace)),
                ("DELETE", f"/api/v1/namespaces/{namespace}"),
                ("GET", "/api"),
            ]:
                answer = pool.request(method, api.access.server + path)
                assert answer.status in (401, 403), (method, path)
                assert answer.json()["kind"] == "Status"
            for path in ("/healthz", "/livez", "/readyz", "/sampan/v1/ca"):
                assert pool.request("GET", api.access.server + path).status == 200

    def test_a_certificate_of_another_authority_is_refused(self, api: RestClient, tmp_path: Path) -> None:
        certificate, key = another_authority(tmp_path)
        stranger = replace(api.access, certificate=certificate.read_bytes(), key=key.read_bytes())
        with RestClient(stranger) as client, pytest.raises(ConnectionFailed, match="did not sign"):
            client.get("/api/v1/pods")

    @pytest.mark.parametrize(
        "token", [pytest.param("aaaaaa.bbbbbbbbbbbbbbbb", id="unknown"), pytest.param("nonsense", id="malformed")]
    )
    def test_a_wrong_token_cannot_join(self, cluster: Cluster, api: RestClient, tmp_path: Path, token: str) -> None:
        from client.trust import public_key_hash

        config = tmp_path / "agent.toml"
        config.write_text(f'state_dir = "{tmp_path}/state"\nnode_name = "stranger"\nmaster = "{api.access.server}"\n')
        done = sampan(
            cluster,
            *("join", "--config", str(config), "--token", token, "--ca-hash", public_key_hash(_pem(api).encode())),
        )
        assert done.returncode != 0
        assert "token" in done.stderr and "Traceback" not in done.stderr
        assert api.get("/api/v1/nodes", {"fieldSelector": "metadata.name=stranger"})["items"] == []

    def test_a_master_with_another_authority_is_not_joined(
        self, cluster: Cluster, api: RestClient, tmp_path: Path
    ) -> None:
        config = tmp_path / "agent.toml"
        config.write_text(f'state_dir = "{tmp_path}/state"\nnode_name = "stranger"\nmaster = "{api.access.server}"\n')
        other = "sha256:" + 64 * "0"
        done = sampan(
            cluster, "join", "--config", str(config), "--token", "aaaaaa.bbbbbbbbbbbbbbbb", "--ca-hash", other
        )
        assert done.returncode != 0
        assert other in done.stderr and "another cluster" in done.stderr and "Traceback" not in done.stderr


def sampan(cluster: Cluster, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {"KUBECONFIG": str(cluster.kubeconfig), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    return subprocess.run(
        [sys.executable, "-m", "cli", *args], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def raw(api: RestClient, method: str, path: str, *, body: Any, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(ssl_context=context_for(api.access), retries=False) as pool:
        return pool.request(method, api.access.server + path, body=body, headers=headers, timeout=60.0)


def _pem(api: RestClient) -> str:
    authority = api.access.authority
    assert authority is not None
    return authority.decode()


def another_authority(directory: Path) -> tuple[Path, Path]:
    """Certificate and key files: self-signed, with the administrator's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "admin"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    files = directory / "other.crt", directory / "other.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
