"""The administrator's kubeconfig, as text."""

from __future__ import annotations

import base64


def kubeconfig(*, cluster: str, user: str, server: str, ca: bytes, certificate: bytes, key: bytes) -> str:
    """A kubeconfig with one cluster, one user and one context. Contains the certificates and the key themselves."""
    return _TEXT.format(
        cluster=cluster,
        user=user,
        server=server,
        ca=_base64(ca),
        certificate=_base64(certificate),
        key=_base64(key),
    )


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_TEXT = """\
apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {user}
current-context: {cluster}
"""
