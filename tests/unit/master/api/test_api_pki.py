"""Certificates: created once, renewed in time, signed only for the right name."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from master.config import MasterConfig
from master.pki import CsrRefused, Pki, PkiError


def node_request(name: str, organization: str = "system:nodes", key: object = None) -> tuple[str, bytes]:
    """A signing request for a node's certificate, and its key, both as PEM."""
    private = key or ec.generate_private_key(ec.SECP256R1())
    assert isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{name}"),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, hashes.SHA256())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return request.public_bytes(serialization.Encoding.PEM).decode(), pem


@pytest.fixture
def config(tmp_path: Path) -> MasterConfig:
    return MasterConfig(data_dir=tmp_path, advertise_addresses=("192.0.2.1", "master.example"))


def test_all_files_are_created_once_and_kept(config: MasterConfig) -> None:
    first = Pki.prepare(config)
    kept = {path: path.read_bytes() for path in (config.data_dir / "pki").iterdir()}
    second = Pki.prepare(config)
    assert {path: path.read_bytes() for path in (config.data_dir / "pki").iterdir()} == kept
    assert second.ca_hash == first.ca_hash
    assert first.ca_hash.startswith("sha256:") and len(first.ca_hash) == 71


def test_only_the_owner_can_read_the_keys(config: MasterConfig) -> None:
    pki = Pki.prepare(config)
    for path in (pki.authority.key, pki.server.key, pki.admin.key, pki.kubeconfig):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_certificate_of_the_server_has_all_names(config: MasterConfig) -> None:
    pki = Pki.prepare(config)
    certificate = x509.load_pem_x509_certificate(pki.server.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", "192.0.2.1", "10.96.0.1"} <= addresses
    assert {"localhost", "master.example", "kubernetes.default.svc"} <= set(names.get_values_for_type(x509.DNSName))


def test_the_server_gets_a_new_certificate_when_its_address_changes(config: MasterConfig) -> None:
    before = Pki.prepare(config)
    old = before.server.certificate.read_bytes()
    after = Pki.prepare(MasterConfig(data_dir=config.data_dir, advertise_addresses=("192.0.2.9",)))
    assert after.server.certificate.read_bytes() != old
    assert after.ca_pem == before.ca_pem


def test_certificates_are_renewed_before_they_expire(config: MasterConfig) -> None:
    pki = Pki.prepare(config)
    old = pki.server.certificate.read_bytes()
    now = datetime.now(UTC)
    assert not pki.renew(now + timedelta(days=200))
    assert pki.renew(now + timedelta(days=320))
    assert pki.server.certificate.read_bytes() != old


def test_the_kubeconfig_contains_certificate_and_key(config: MasterConfig) -> None:
    pki = Pki.prepare(config)
    kubeconfig = yaml.safe_load(pki.kubeconfig.read_text())
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://192.0.2.1:6443"
    assert set(kubeconfig["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    admin = x509.load_pem_x509_certificate(pki.admin.certificate.read_bytes())
    assert admin.subject.rfc4514_string() == "CN=sampan-admin,O=system:masters"


def test_a_node_gets_a_certificate_for_its_name(config: MasterConfig) -> None:
    pki = Pki.prepare(config)
    certificate = x509.load_pem_x509_certificate(pki.sign_node(node_request("n1")[0], "n1").encode())
    assert certificate.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    authority = x509.load_pem_x509_certificate(pki.ca_pem)
    certificate.verify_directly_issued_by(authority)


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        (lambda: node_request("n2")[0], "common name"),
        (lambda: node_request("n1", "system:masters")[0], "organization"),
        (lambda: node_request("n1", key=rsa.generate_private_key(65537, 1024))[0], "2048"),
        (lambda: "no csr", "cannot be read"),
    ],
    ids=["other-name", "other-group", "weak-key", "nonsense"],
)
def test_a_wrong_request_is_refused(config: MasterConfig, csr: object, why: str) -> None:
    assert callable(csr)
    with pytest.raises(CsrRefused, match=why):
        Pki.prepare(config).sign_node(csr(), "n1")


def test_a_missing_ca_key_is_named(config: MasterConfig) -> None:
    Pki.prepare(config).authority.key.unlink()
    with pytest.raises(PkiError, match=r"ca\.key"):
        Pki.prepare(config)


def test_a_client_certificate_is_requested_but_not_required(config: MasterConfig) -> None:
    context = Pki.prepare(config).server_context()
    assert context.verify_mode is ssl.CERT_OPTIONAL
