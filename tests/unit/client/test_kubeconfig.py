"""Kubeconfig files: contexts, inline data and files, and the messages about errors in them."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from client.errors import BadKubeconfig
from client.kubeconfig import load_kubeconfig

TEXT = """
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: team}}
- {name: two, context: {cluster: c, user: t}}
clusters:
- {name: c, cluster: {server: "https://10.0.0.1:6443/", certificate-authority: ca.crt}}
users:
- {name: u, user: {client-certificate-data: CERT, client-key-data: KEY}}
- {name: t, user: {token: secret}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_bytes(b"the ca")
    text = TEXT.replace("CERT", base64.b64encode(b"cert").decode()).replace("KEY", base64.b64encode(b"key").decode())
    (tmp_path / "config").write_text(text)
    return tmp_path / "config"


def test_the_current_context(path: Path) -> None:
    access = load_kubeconfig(path)
    assert (access.server, access.namespace) == ("https://10.0.0.1:6443", "team")
    assert (access.authority, access.certificate, access.key) == (b"the ca", b"cert", b"key")


def test_another_context(path: Path) -> None:
    access = load_kubeconfig(path, context="two")
    assert (access.token, access.certificate, access.namespace) == ("secret", None, "default")


@pytest.mark.parametrize(
    ("pattern", "by", "message"),
    [
        ("current-context: one", "current-context: three", "has no context three"),
        ("ca.crt", "gone.crt", "cannot be read"),
        (r"clusters:\n.*", "", "clusters"),
        (r"\{name: c, c", "{{", "is not YAML"),
        ("data: .*,", "data: '*',", "is not a kubeconfig"),
        (r"(?s).*", "root:x:0:0:root", "is not a kubeconfig"),
    ],
    ids=["context", "file", "clusters", "syntax", "base64", "not-one"],
)
def test_an_error_is_named(path: Path, pattern: str, by: str, message: str) -> None:
    path.write_text(re.sub(pattern, by, path.read_text()))
    with pytest.raises(BadKubeconfig, match=message):
        load_kubeconfig(path)


def test_a_context_may_have_a_date_as_its_name(path: Path) -> None:
    path.write_text(path.read_text().replace("name: two", "name: 2020-01-01"))
    assert load_kubeconfig(path, context="2020-01-01").token == "secret"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadKubeconfig, match="cannot read"):
        load_kubeconfig(tmp_path / "none")
