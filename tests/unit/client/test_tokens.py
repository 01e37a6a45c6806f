"""Bootstrap tokens: their form as Secrets, and the join command."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from client.tokens import address, secret_of


def test_a_token_s_secret_is_kubernetes_own() -> None:
    secret = secret_of("abcdef.0123456789abcdef", datetime(2026, 1, 2, tzinfo=UTC))
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert secret["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert data == {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "expiration": "2026-01-02T00:00:00Z",
        "usage-bootstrap-authentication": "true",
    }


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("https://192.0.2.1:6443", "192.0.2.1"),
        ("https://192.0.2.1:7443", "192.0.2.1:7443"),
        ("https://[2001:db8::1]:6443", "[2001:db8::1]"),
        ("https://master.example", "master.example"),
    ],
)
def test_the_address_as_join_takes_it(server: str, says: str) -> None:
    assert address(server) == says
