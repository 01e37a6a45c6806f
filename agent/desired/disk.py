"""The desired state on disk, so that a node comes back with the master absent.

Owns `desired.pb`: a line that names the form, the cluster, the node and the digest of what follows, then one snapshot
as protobuf. Written aside and renamed, 0600. Secrets are in it only when the node's configuration allows it.
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
_FORM: Final = "sampan-desired-3"

log = logging.getLogger(__name__)


def read(state_dir: Path, cluster_id: str, node_name: str) -> session_pb2.Cut | None:
    """The state that was kept; None when there is none of this cluster and node that can be read."""
    path = state_dir / NAME
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        if path.is_symlink():
            log.warning("%s: a symbolic link that leads nowhere; waiting for the master", path)
        return None
    except OSError as error:
        log.warning("%s: %s; waiting for the master", path, error.strerror)
        return None
    if head.decode(errors="replace").split()[:3] != [_FORM, cluster_id, node_name]:
        log.warning("%s: of another cluster, node or version; waiting for the master", path)
        return None
    # A bit that flipped inside a name would still be protobuf, and replace a container.
    if head != _head(cluster_id, node_name, body):
        log.warning("%s: damaged or cut short; waiting for the master", path)
        return None
    try:
        return session_pb2.Cut.FromString(body)
    except DecodeError as error:
        log.warning("%s: %s; waiting for the master", path, error)
        return None


def write(state_dir: Path, cluster_id: str, node_name: str, cut: session_pb2.Cut) -> None:
    """Replace what was kept. Raises OSError."""
    body = cut.SerializeToString()
    atomicfile.write(state_dir / NAME, _head(cluster_id, node_name, body) + b"\n" + body)


def _head(cluster_id: str, node_name: str, body: bytes) -> bytes:
    return f"{_FORM} {cluster_id} {node_name} {hashlib.sha256(body).hexdigest()}".encode()


def wipe(state_dir: Path) -> None:
    """Forget it."""
    (state_dir / NAME).unlink(missing_ok=True)
