"""Reads kubeconfig files: the address of the API, the CA to trust, and the user's credentials.

It reads only what this client uses: clusters, contexts, and users with certificates or a token. Data may be inline or
in files; relative paths are relative to the kubeconfig.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.errors import BadKubeconfig


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one cluster. Certificates are PEM. Without `authority`, the system's CAs are trusted."""

    server: str
    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    token: str = ""
    namespace: str = "default"
    insecure: bool = False


def load_kubeconfig(path: Path, *, context: str = "") -> Access:
    """The access of the named context, or of the current context. Raises BadKubeconfig."""
    from client import yamltext

    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadKubeconfig(f"cannot read kubeconfig {path}: {error.strerror}") from error
    try:
        return _access(yamltext.document(content).value, path.resolve().parent, context)
    except yamltext.BadYaml as error:
        raise BadKubeconfig(f"kubeconfig {path} is not YAML: {error}") from error
    except KeyError as error:
        raise BadKubeconfig(f"kubeconfig {path} has no {error.args[0]}") from error
    except (TypeError, AttributeError, binascii.Error) as error:
        raise BadKubeconfig(f"{path} is not a kubeconfig: {error}") from error
    except OSError as error:
        raise BadKubeconfig(f"kubeconfig {path} names a file that cannot be read: {error}") from error


def _access(document: Mapping[str, Any], directory: Path, context_name: str) -> Access:
    context = _named(document, "contexts", "context", context_name or document["current-context"])
    cluster = _named(document, "clusters", "cluster", context["cluster"])
    user = _named(document, "users", "user", context["user"])
    return Access(
        server=cluster["server"].rstrip("/"),
        authority=_data(cluster, "certificate-authority", directory),
        certificate=_data(user, "client-certificate", directory),
        key=_data(user, "client-key", directory),
        token=user.get("token", ""),
        namespace=context.get("namespace") or "default",
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _named(document: Mapping[str, Any], plural: str, singular: str, name: str) -> Mapping[str, Any]:
    for entry in document[plural]:
        if entry["name"] == name:
            named: Mapping[str, Any] = entry[singular]
            return named
    raise KeyError(f"{singular} {name}")


def _data(holder: Mapping[str, Any], field: str, directory: Path) -> bytes | None:
    inline, path = holder.get(f"{field}-data"), holder.get(field)
    if inline:
        return base64.b64decode(inline, validate=True)
    return (directory / path).read_bytes() if path else None
