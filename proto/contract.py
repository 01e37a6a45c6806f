"""Rules that master and agent share and that protobuf cannot express.

This module owns the release and the protocol version, the keys of the labels on what an agent makes, the form of the
CA's hash and of node names in certificates, and size limits. It has values and pure functions only.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from ipaddress import IPv4Network
from typing import Final

VERSION: Final = "0.2.0.dev0"
"""The release of master and agent; pyproject.toml reads it from here."""

PROTOCOL_VERSION: Final = 3
"""Raised if an agent of the version before could misunderstand a message, or would miss one that it must obey.

1: the first. 2: a session brings the CAs to trust, and may request another certificate. 3: endpoints come in slices,
the last message of a stream says whether the stream is complete, streams carry processes (exec, attach), and pods have
security settings that older agents would ignore (master/dispatch/withheld.py keeps such pods from starting there).
"""

SLICES_SINCE: Final = 3
"""The first protocol version with EndpointSlice instead of ServiceEndpoints."""

COMPLETE_SINCE: Final = 3
"""The first protocol version with StreamUp.complete."""

PROCESSES_SINCE: Final = 3
"""The first protocol version with streams of processes and connections."""

CLUSTER_DOMAIN: Final = "cluster.local"
"""The domain of the names of services and pods in DNS."""

TOKENS_SINCE: Final = 3
"""The first protocol version in which nodes ask for tokens of service accounts."""

OLDEST_PROTOCOL_VERSION: Final = 1
"""Agents from this version on are served, and agents still speak to masters from this version on."""

MAX_CUT_BYTES: Final = 1 << 20
"""Upper limit for one message of a cut; the rest goes into further messages."""

MAX_MESSAGE_BYTES: Final = 4 << 20
"""Largest gRPC message that either side accepts: one message of a cut may hold an object above MAX_CUT_BYTES."""

READ_AHEAD_BYTES: Final = 1 << 20
"""What gRPC reads of one stream before we ask for it."""

CHANNEL_LIMITS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Without a fixed window, gRPC derives one from the delay of the connection. On a busy host it then grows by many
    # megabytes, which a hostile peer can fill.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", READ_AHEAD_BYTES),
)
"""Options of a gRPC channel or server that bound the memory for one peer."""

MAX_ITEM_BYTES: Final = MAX_MESSAGE_BYTES - 1024
"""Largest item of a cut: one pod, one config map. The rest of a message is for its frame."""

MAX_STATE_BYTES: Final = 64 << 20
"""Largest cut that an agent accepts, all its messages together: more would fill a small node's memory."""

MAX_WORD: Final = 1024
"""Most characters of a name, a reason or an id in a report. The master refuses an item with a longer one."""

MAX_ADDRESSES: Final = 1024
"""Most addresses of one machine in a Hello."""

MAX_REPORTED: Final = 1000
"""Largest number of statuses or events in one report; agents send fewer."""

MAX_MEASURED: Final = 10_000
"""Most containers in one report of usages; agents leave out the rest."""

MAX_STREAMS: Final = 64
"""Most logs that a node has open at a time, and most other streams. Agents before version 3 have so many of both."""

STREAM_CHUNK_BYTES: Final = 128 << 10
"""Largest data in one message of a stream. What a message costs hardly depends on its size."""

STREAM_WINDOW_BYTES: Final = 512 << 10
"""Bytes that may wait on one stream in each direction: the receiver grants more when its reader has taken some."""

CA_HASH_PREFIX: Final = "sha256:"
NODE_USER_PREFIX: Final = "system:node:"
NODE_GROUP: Final = "system:nodes"

ACCESS_VOLUME_PREFIX: Final = "kube-api-access-"
"""Begins the name of the volume with a token that the API adds to pods, as in Kubernetes."""

DNS_SERVICE: Final = ("kube-system", "kube-dns")
"""Namespace and name of the service that holds the address of cluster DNS."""
_DNS_POSITION: Final = 10
"""The address of DNS is the tenth of the range of services, by Kubernetes' convention."""

_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

LONGEST_NODE_NAME: Final = 64 - len(NODE_USER_PREFIX)
"""A certificate's common name has at most 64 characters (RFC 5280)."""

NODE_NAME_FORM: Final = (
    "lower-case letters, digits, '-' and '.', starting and ending with a letter or digit, "
    f"{LONGEST_NODE_NAME} characters at most"
)
"""The form of node names in words, for messages."""

_NODE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

TOKEN_PATTERN: Final = r"[a-z0-9]{6}\.[a-z0-9]{16}"
"""A bootstrap token, `id.secret`, in the form of Kubernetes."""


def ca_hash(public_key_info_der: bytes) -> str:
    """The hash that pins a CA: of its DER SubjectPublicKeyInfo (as in RFC 7469), in the form that kubeadm prints."""
    return CA_HASH_PREFIX + hashlib.sha256(public_key_info_der).hexdigest()


def fingerprint(certificate_der: bytes) -> str:
    """Lower-case hex SHA-256 of a certificate, as a node's identity key stores it."""
    return hashlib.sha256(certificate_der).hexdigest()


def fingerprints(bundle_pem: str) -> list[str]:
    """The fingerprint of each certificate of a bundle, in order. Raises ValueError if one is not a certificate."""
    return [fingerprint(ssl.PEM_cert_to_DER_cert(pem)) for pem in _CERTIFICATE.findall(bundle_pem)]


def common_version(lowest: int, highest: int) -> int | None:
    """The protocol version for a peer that speaks `lowest` to `highest` (0: only `lowest`).

    It is the highest that both sides speak; None if there is none.
    """
    version = min(max(lowest, highest), PROTOCOL_VERSION)
    return version if version >= max(lowest, OLDEST_PROTOCOL_VERSION) else None


def node_user(node_name: str) -> str:
    """Common name of a node's certificate."""
    return NODE_USER_PREFIX + node_name


def is_node_name(name: str) -> bool:
    """Whether a node can have the name: a DNS subdomain in lower case that fits into a certificate."""
    return len(name) <= LONGEST_NODE_NAME and _NODE_NAME.fullmatch(name) is not None


def node_name(user: str) -> str | None:
    """The node whose certificate has this common name; None if it is not a node's certificate."""
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
    """A decimal number that counts the instances of one container, from 0."""
    SANDBOX: Final = "io.sampan.sandbox"
    """On a container: the attempt of the sandbox that it joined."""
    POD_STARTED: Final = "io.sampan.pod.started"
    """On a sandbox: when the node started the pod (the status' startTime), in milliseconds since the epoch."""
    READ_ONLY_TREES: Final = "io.sampan.read-only-trees"
    """On a container: the mounts of volumes below which everything is read-only, by their places, such as `0,2`."""
    SPEC_HASH: Final = "io.sampan.spec"
    """`VERSION:HEX`, a hash over the fields whose change replaces a container."""


def dns_address(service_cidr: str) -> str:
    """The address of cluster DNS; empty if the range is too small to have it."""
    network = IPv4Network(service_cidr)
    return str(network[_DNS_POSITION]) if network.num_addresses > _DNS_POSITION + 1 else ""
