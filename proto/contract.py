"""What master and agent must agree on and protobuf cannot say.

Owns the release and the protocol version, label keys of what an agent makes, the form of the CA's hash and of node
names in certificates, and size limits. Holds values and pure functions only.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import Final

VERSION: Final = "0.1.0"
"""The release, of master and agent alike; pyproject.toml takes it from here."""

PROTOCOL_VERSION: Final = 2
"""Raised when an agent of the version before could misunderstand a message, or would miss one that it must obey.

1: the first. 2: a session brings the CAs to trust, and asks for another certificate."""

OLDEST_PROTOCOL_VERSION: Final = 1
"""The version of the release before: its agents are served, and its masters are spoken to."""

MAX_CUT_BYTES: Final = 1 << 20
"""A message of a cut stays below this; more goes into further messages."""

MAX_MESSAGE_BYTES: Final = 4 << 20
"""What either side takes as one gRPC message: a cut's message may hold one object that is larger than its share."""

MAX_STATE_BYTES: Final = 64 << 20
"""What an agent takes as one cut, all its messages together: more would fill a small node's memory."""

MAX_REPORTED: Final = 1000
"""Statuses or events of one report; agents send fewer."""

STREAM_CHUNK_BYTES: Final = 32 << 10
"""Largest data of one StreamUp."""

STREAM_WINDOW_BYTES: Final = 256 << 10
"""Bytes that the master lets an agent send ahead on one stream."""

CA_HASH_PREFIX: Final = "sha256:"
NODE_USER_PREFIX: Final = "system:node:"
NODE_GROUP: Final = "system:nodes"

_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

LONGEST_NODE_NAME: Final = 64 - len(NODE_USER_PREFIX)
"""A certificate's common name has 64 characters at most (RFC 5280)."""

NODE_NAME_FORM: Final = (
    "lower-case letters, digits, '-' and '.', starting and ending with a letter or digit, "
    f"{LONGEST_NODE_NAME} characters at most"
)
"""In words."""

_NODE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

TOKEN_PATTERN: Final = r"[a-z0-9]{6}\.[a-z0-9]{16}"
"""A bootstrap token, `id.secret`, as Kubernetes writes it."""


def ca_hash(public_key_info_der: bytes) -> str:
    """Hash that pins a CA: of its DER SubjectPublicKeyInfo (RFC 7469 pins the same), as kubeadm prints it."""
    return CA_HASH_PREFIX + hashlib.sha256(public_key_info_der).hexdigest()


def fingerprint(certificate_der: bytes) -> str:
    """Lower-case hex SHA-256 of a certificate, as it stands in a node's identity key."""
    return hashlib.sha256(certificate_der).hexdigest()


def fingerprints(bundle_pem: str) -> list[str]:
    """Of each certificate of a bundle, in their order. Raises ValueError when one of them is none."""
    return [fingerprint(ssl.PEM_cert_to_DER_cert(found)) for found in _CERTIFICATE.findall(bundle_pem)]


def common_version(lowest: int, highest: int) -> int | None:
    """The protocol version for a peer that speaks `lowest` to `highest` (0: only `lowest`): the highest that we speak
    too; None when there is none."""
    found = min(max(lowest, highest), PROTOCOL_VERSION)
    return found if found >= max(lowest, OLDEST_PROTOCOL_VERSION) else None


def node_user(node_name: str) -> str:
    """Common name of a node's certificate."""
    return NODE_USER_PREFIX + node_name


def is_node_name(name: str) -> bool:
    """Whether a node can have the name: a DNS subdomain in lower case that fits into a certificate."""
    return len(name) <= LONGEST_NODE_NAME and _NODE_NAME.fullmatch(name) is not None


def node_name(user: str) -> str | None:
    """The node that a certificate's common name speaks for; None when it is no node's."""
    name = user.removeprefix(NODE_USER_PREFIX)
    return name if name and name != user else None


class Labels:
    """Keys of the labels on every container that an agent makes."""

    CLUSTER: Final = "io.sampan.cluster"
    NODE: Final = "io.sampan.node"
    POD_UID: Final = "io.sampan.pod.uid"
    POD_NAME: Final = "io.sampan.pod.name"
    POD_NAMESPACE: Final = "io.sampan.pod.namespace"
    CONTAINER: Final = "io.sampan.container"
    """Container name in the pod; empty on the sandbox."""
    ATTEMPT: Final = "io.sampan.attempt"
    """Decimal; counts the instances of one container, from 0."""
    SANDBOX: Final = "io.sampan.sandbox"
    """On a container: the attempt of the sandbox that it joined."""
    POD_STARTED: Final = "io.sampan.pod.started"
    """On a sandbox: when the node took the pod up, in milliseconds since the epoch (the status' startTime)."""
    SPEC_HASH: Final = "io.sampan.spec"
    """`VERSION:HEX` over what replaces a container when it changes."""
