"""The state directory: its lock, and the identity in it.

Owns `lock`, `identity.json` and `pending.key`. The identity is one file, so that a renewal replaces key and
certificate together or not at all. Mode 0600, replaced atomically.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from agent.identity.errors import StateLocked, Unreadable
from hull import atomicfile, lockfile
from proto import contract

IDENTITY: Final = "identity.json"
PENDING_KEY: Final = "pending.key"
LOCK: Final = "lock"

_REMEDY: Final = "restore it, or delete the Node, remove the file and join again"


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes this machine a node of one cluster. Certificates and key are PEM."""

    node_name: str
    cluster_id: str
    session_address: str
    """host:port of the master's gRPC service."""
    ca: str
    certificate: str
    key: str
    not_before: float
    not_after: float
    """The certificate's validity, in seconds since the epoch."""

    def __repr__(self) -> str:
        return f"Identity({self.node_name} of cluster {self.cluster_id})"


@contextlib.contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Lock the state directory; the kernel releases the lock when the process ends. Raises StateLocked."""
    with contextlib.ExitStack() as held:
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = held.enter_context(lockfile.opened(state_dir / LOCK))
        except OSError as error:
            what = error.filename or state_dir
            raise Unreadable(f"state directory {state_dir}: {what}: {error.strerror}") from error
        if not lockfile.taken(descriptor):
            raise StateLocked(f"state directory {state_dir}: another agent is running on it")
        yield


def in_use(state_dir: Path) -> bool:
    """Whether a process has locked the state directory; creates nothing."""
    try:
        descriptor = os.open(state_dir / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not lockfile.taken(descriptor)
    finally:
        os.close(descriptor)


def load(state_dir: Path) -> Identity | None:
    """The identity, or None when this machine has not joined. Raises Unreadable."""
    path = state_dir / IDENTITY
    try:
        identity = _decode(json.loads(path.read_text()))
        _check(identity)
    except FileNotFoundError:
        if path.is_symlink():
            raise Unreadable(f"{path}: a dangling symbolic link; {_REMEDY}") from None
        return None
    except (OSError, ValueError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Unreadable(f"{path}: {why}; {_REMEDY}") from error
    return identity


def _decode(document: Any) -> Identity:
    """Raises ValueError, TypeError. The digest finds a flipped bit, which could make it another node's identity."""
    if not isinstance(document, dict):
        raise ValueError("not an object")
    digest = document.pop("digest", None)  # an identity of release 0.1.0 has none
    if digest is not None and digest != _digest(document):
        raise ValueError("damaged: the content is not what was written")
    return Identity(**document)


def _digest(fields: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _check(identity: Identity) -> None:
    """Check what gRPC would only show by a connection that never succeeds. Raises ValueError, TypeError."""
    for name in ("node_name", "cluster_id", "session_address"):
        if not isinstance(getattr(identity, name), str) or not getattr(identity, name):
            raise ValueError(f"{name} is not a non-empty string")
    for name in ("ca", "certificate"):
        try:
            fingerprints = contract.fingerprints(getattr(identity, name))
        except (ValueError, TypeError):
            fingerprints = []
        if not fingerprints:
            raise ValueError(f"{name} is not a PEM certificate")
    if "PRIVATE KEY-----" not in identity.key:
        raise ValueError("key is not a PEM private key")
    if not identity.not_before < identity.not_after:
        raise ValueError("not_before is not before not_after")


def save(state_dir: Path, identity: Identity) -> None:
    """Replace the identity and remove the pending key."""
    fields = asdict(identity)
    atomicfile.write(state_dir / IDENTITY, json.dumps(fields | {"digest": _digest(fields)}).encode())
    (state_dir / PENDING_KEY).unlink(missing_ok=True)


def pending_key(state_dir: Path, make: Callable[[], str]) -> str:
    """The key of an earlier join that the master may have answered already; else a new one, kept for the next try.

    Raises ValueError when it is not UTF-8, Unreadable when it cannot be read.
    """
    path = state_dir / PENDING_KEY
    try:
        if not path.exists():
            atomicfile.write(path, make().encode())
        return path.read_text()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}; remove it, and join again") from error


def wipe(state_dir: Path) -> None:
    """Remove the identity; the lock stays held."""
    for name in (IDENTITY, PENDING_KEY):
        (state_dir / name).unlink(missing_ok=True)
