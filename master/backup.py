"""Backup and restore of the master's state: one tar file, readable by its owner only.

Owns the archive's format: first `backup.json` (release, cluster, revision, time, and the SHA-256 of every other
member), then `store.db` at one revision, the files of `pki/`, and `master.toml` when its path is known. A restore is
all or nothing: a marker keeps a master from starting on an incomplete one, and the same command completes it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from hull import atomicfile
from master.datadir import CLUSTER_ID_KEY, RESTORING, MasterFailed, as_owner, locked
from master.dispatch.identities import RESTORED_KEY
from master.pki import Pki
from master.store import snapshot
from master.store.errors import StoreError
from master.store.sqlite import SqliteStore
from proto import contract

FORMAT: Final = 1
CONFIGURATION: Final = "master.toml"
_MANIFEST: Final = "backup.json"
_STORE: Final = "store.db"
_MEMBER: Final = re.compile(r"store\.db|master\.toml|pki/[a-z-]+\.(crt|key)")
_MAX_MANIFEST_BYTES: Final = 1 << 20
_KEPT: Final = frozenset({"lock", RESTORING})


class RestoreRefused(Exception):
    """The archive or the data directory is unsuitable. The message says why and what to do; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Source:
    """The state of a running master, from which a backup is made."""

    pki: Pki
    store: SqliteStore
    cluster_id: str
    config_path: Path | None

    async def write(self) -> IO[bytes]:
        """The archive as an unnamed temporary file, open at its beginning. Raises StoreError, OSError.

        All members are of the same moment: nothing else runs on the event loop between reading them.
        """
        data_dir = self.pki.config.data_dir
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".backup-") as scratch:
            copy = Path(scratch) / _STORE
            members = self._small_files()
            revision = await self.store.copy(copy)
            return await asyncio.to_thread(self._pack, copy, members, revision, Path(scratch))

    def _small_files(self) -> dict[str, bytes]:
        members = {f"pki/{path.name}": path.read_bytes() for path in sorted(self.pki.files)}
        if self.config_path is not None:
            members[CONFIGURATION] = self.config_path.read_bytes()
        return members

    def _pack(self, copy: Path, members: Mapping[str, bytes], revision: int, scratch: Path) -> IO[bytes]:
        with copy.open("rb") as file:
            sums = {_STORE: hashlib.file_digest(file, "sha256").hexdigest()}
        sums |= {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        manifest = {
            "format": FORMAT,
            "version": contract.VERSION,
            "clusterId": self.cluster_id,
            "revision": revision,
            "madeAt": datetime.now(UTC).isoformat(timespec="seconds"),
            "caHash": self.pki.ca_hash,
            "sha256": sums,
        }
        archive = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  the caller closes it
        with tarfile.open(fileobj=archive, mode="w") as tar:
            _add(tar, _MANIFEST, json.dumps(manifest, indent=2).encode())
            for name, content in members.items():
                _add(tar, name, content)
            tar.add(copy, _STORE)
        archive.seek(0)
        return archive


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore."""

    cluster_id: str
    made_at: str
    revision: int
    """The first revision after the restore."""
    set_aside: Path | None
    """The directory to which the earlier state was moved; None when there was none."""


def restore(archive: Path, data_dir: Path, *, force: bool) -> Restored:
    """Replaces a stopped master's state by a backup. Raises RestoreRefused, MasterFailed, StoreError, OSError.

    `force`: move an earlier state aside (it is not deleted).
    """
    with (
        archive.open("rb") as source,  # opened as root: the directory's owner may have no permission
        locked(data_dir),
        as_owner(data_dir),
        tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as scratch,
    ):
        staged = Path(scratch)
        manifest = _unpack(archive, source, staged)
        copied = snapshot.inspect(staged / _STORE, CLUSTER_ID_KEY)
        if copied.cluster_id != manifest["clusterId"]:
            raise RestoreRefused(
                f"{archive}: its store belongs to another cluster than {_MANIFEST} says; it was changed by hand"
            )
        present = [path for path in data_dir.iterdir() if path != staged and path.name not in _KEPT]
        unfinished = (data_dir / RESTORING).exists()
        if present and not force and not unfinished:
            raise RestoreRefused(
                f"data directory {data_dir} is not empty ({', '.join(sorted(path.name for path in present))}); "
                "--force moves the present files aside"
            )
        before = _present_revision(data_dir, copied.cluster_id)
        revision = snapshot.advance(
            staged / _STORE,
            past=max(copied.revision, before),
            now_s=time.time(),
            key=RESTORED_KEY,
            value=json.dumps(
                {"madeAt": manifest["madeAt"], "restoredAt": datetime.now(UTC).isoformat(timespec="seconds")}
            ).encode(),
        )
        (data_dir / RESTORING).touch(0o600)
        set_aside = _set_aside(data_dir, present)
        _put_in_place(staged, data_dir)
        (data_dir / RESTORING).unlink()
    return Restored(copied.cluster_id, str(manifest["madeAt"]), revision, set_aside)


def _unpack(archive: Path, source: IO[bytes], staged: Path) -> dict[str, Any]:
    """Unpacks the members and checks them against the manifest. Raises RestoreRefused, which names `archive`."""
    (staged / "pki").mkdir(mode=0o700)
    try:
        with tarfile.open(fileobj=source, mode="r:") as tar:
            manifest = _manifest(archive, tar)
            missing: dict[str, str] = dict(manifest["sha256"])
            for member in tar:
                if member.name not in missing or not member.isreg():
                    continue
                if _extract(tar, member, staged) != missing.pop(member.name):
                    raise RestoreRefused(f"{archive}: damaged: {member.name} does not have its recorded SHA-256")
    except (tarfile.TarError, EOFError) as error:
        raise RestoreRefused(f"{archive}: not a backup, or an incomplete one: {error}") from error
    if missing:
        raise RestoreRefused(f"{archive}: an incomplete backup: {', '.join(sorted(missing))} missing")
    return manifest


def _manifest(archive: Path, tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.name == _MANIFEST and first.isreg() else None
    if file is None:
        raise RestoreRefused(f"{archive}: not a backup of a sampan master")
    try:
        manifest: dict[str, Any] = json.loads(file.read(_MAX_MANIFEST_BYTES))
        format_ = int(manifest["format"])
        sums = dict(manifest["sha256"])
        datetime.fromisoformat(manifest["madeAt"])
        whole = _STORE in sums and {"pki/ca.crt", "pki/ca.key"} <= sums.keys() and all(map(_MEMBER.fullmatch, sums))
        known = whole and isinstance(manifest["clusterId"], str)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RestoreRefused(f"{archive}: damaged: {_MANIFEST} cannot be read: {error!r}") from error
    if format_ > FORMAT:
        raise RestoreRefused(
            f"{archive}: made by release {manifest.get('version')}, which is newer than this one "
            f"({contract.VERSION}); restore it with that release"
        )
    if not known:
        raise RestoreRefused(
            f"{archive}: damaged: {_MANIFEST} names a file that no backup has, or a necessary one is missing"
        )
    return manifest


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, staged: Path) -> str:
    """Writes the member below `staged` and returns its SHA-256."""
    source = tar.extractfile(member)
    assert source is not None
    path = staged / member.name
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if path.suffix == ".crt" else 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _present_revision(data_dir: Path, cluster_id: str) -> int:
    """The revision of the present store; 0 without a readable one. Raises RestoreRefused for another cluster's."""
    path = data_dir / _STORE
    if not path.is_file():
        return 0
    try:
        present = snapshot.inspect(path, CLUSTER_ID_KEY)
    except StoreError:
        return 0  # a broken store is what a restore replaces
    if present.cluster_id != cluster_id:
        raise RestoreRefused(
            f"data directory {data_dir} holds cluster {present.cluster_id}, the backup is of cluster {cluster_id}; "
            "restore it into another directory"
        )
    return present.revision


def _set_aside(data_dir: Path, present: list[Path]) -> Path | None:
    moving = [path for path in present if not path.name.startswith("replaced-")]
    if not moving:
        return None
    aside = data_dir / f"replaced-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    aside.mkdir(mode=0o700)
    for path in moving:
        path.replace(aside / path.name)
    return aside


def _put_in_place(staged: Path, data_dir: Path) -> None:
    (staged / "pki").replace(data_dir / "pki")
    if (staged / CONFIGURATION).exists():
        (staged / CONFIGURATION).replace(data_dir / f"restored-{CONFIGURATION}")
    (staged / _STORE).replace(data_dir / _STORE)
    atomicfile.flush(data_dir)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    tar.addfile(entry, io.BytesIO(content))


__all__ = ["MasterFailed", "RestoreRefused", "Restored", "Source", "restore"]
