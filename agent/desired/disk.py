"""The desired state on disk, so that a node can start its pods while the master is down.

Owns `desired.pb`: a line with the format, the cluster, the node and the digest of the rest, then one snapshot as
protobuf. Mode 0600, replaced atomically. It contains secrets only if the node's configuration allows it.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from hull import atomicfile
from proto.gen import session_pb2

NAME: Final = "desired.pb"
_FORMAT: Final = "sampan-desired-3"

log = logging.getLogger(__name__)


def read(state_dir: Path, cluster_id: str, node_name: str) -> session_pb2.Cut | None:
    """The stored state; None when there is no readable one of this cluster and node."""
    path = state_dir / NAME
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        if path.is_symlink():
            log.warning("%s: a dangling symbolic link; waiting for the master", path)
        return None
    except OSError as error:
        log.warning("%s: %s; waiting for the master", path, error.strerror)
        return None
    if head.decode(errors="replace").split()[:3] != [_FORMAT, cluster_id, node_name]:
        log.warning("%s: of another cluster, node or version; waiting for the master", path)
        return None
    # A flipped bit in a name would still be valid protobuf, and would replace a container.
    if head != _head(cluster_id, node_name, body):
        log.warning("%s: damaged or cut short; waiting for the master", path)
        return None
    try:
        return session_pb2.Cut.FromString(body)
    except DecodeError as error:
        log.warning("%s: %s; waiting for the master", path, error)
        return None


def write(state_dir: Path, cluster_id: str, node_name: str, cut: session_pb2.Cut) -> None:
    """Replace the stored state. Raises OSError."""
    body = cut.SerializeToString()
    atomicfile.write(state_dir / NAME, _head(cluster_id, node_name, body) + b"\n" + body)


def _head(cluster_id: str, node_name: str, body: bytes) -> bytes:
    return f"{_FORMAT} {cluster_id} {node_name} {hashlib.sha256(body).hexdigest()}".encode()


def wipe(state_dir: Path) -> None:
    """Remove the stored state."""
    (state_dir / NAME).unlink(missing_ok=True)
