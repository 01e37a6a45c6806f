"""First contact: a CA is trusted by the hash of its key, and by nothing else."""

from __future__ import annotations

import pytest

from client.errors import ConnectionFailed, TrustFailed
from client.rest import RestClient
from client.trust import public_key_hash, trusted_access
from proto.contract import ca_hash
from tests.service.client.conftest import Server, issue


def test_the_right_hash_gives_a_verified_access(server: Server) -> None:
    server.answer = lambda asked: (200, {}, server.authority)
    access = trusted_access(server.url, public_key_hash(server.authority), token="a.b")
    with RestClient(access) as client:
        client.get_text("/")
    assert [asked.path for asked in server.asked] == ["/sampan/v1/ca", "/"]


def test_another_hash_is_refused_before_the_token_is_sent(server: Server) -> None:
    server.answer = lambda asked: (200, {}, server.authority)
    with pytest.raises(TrustFailed, match="another cluster"):
        trusted_access(server.url, public_key_hash(issue("other").pem), token="a.b")
    assert all("Authorization" not in asked.headers for asked in server.asked)


def test_a_server_whose_ca_is_not_a_certificate_is_refused(server: Server) -> None:
    server.answer = lambda asked: (200, {}, b"hello")
    with pytest.raises(TrustFailed, match="is not a certificate"):
        trusted_access(server.url, "sha256:00")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:6443", "https://127.0.0.1:1"])
def test_an_address_without_an_answer_is_a_failed_connection(url: str) -> None:
    with pytest.raises(ConnectionFailed):
        trusted_access(url, "sha256:00")


def test_the_hash_has_the_form_of_the_contract() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pair = issue("ca")
    info = pair.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public_key_hash(pair.pem) == ca_hash(info)
