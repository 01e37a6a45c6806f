"""The database file behind the SQLite store: schema, transactions, and what to believe after a disk error.

Synchronous; used by the store's one thread only. Each commit of a group has a savepoint, so that one whose comparison
fails, fails alone. A disk error fails everything of its group and changes nothing.

Each row carries a checksum: SQLite's own check knows the file's structure, not its values, and a bit that flipped
inside of one would be believed. That no acknowledged commit is missing at the end is told by mark.py.

A file of an older schema is brought to ours, and kept as it was beside it: the release before cannot read it any more.
Nobody goes back to the copy by himself, as what was written since is not in it; that release says how.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path

from hull import atomicfile
from master.store.interface import (
    Commit,
    Compacted,
    Compare,
    CompareFailed,
    Delete,
    KeyValue,
    Put,
    Revision,
    StoreDamaged,
    StoreUnavailable,
)
from master.store.mark import Mark

_MODE = 0o600
SCHEMA_VERSION = 2
_SCHEMA = f"""
CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, modified INTEGER NOT NULL, created INTEGER NOT NULL,
  sum INTEGER NOT NULL);
CREATE TABLE log (revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB);
CREATE INDEX log_revision ON log (revision);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO meta VALUES ('revision', 0), ('compacted', 0), ('schema', {SCHEMA_VERSION});
"""
# Another value each time: SQLite writes no page that stays the same.
_TRIAL = "INSERT INTO meta VALUES ('trial', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
_TABLES = {"kv", "log", "meta"}
# From schema 1, which had no sums: its rows get one when they are written.
_NO_SUM = -1
_UPGRADE = f"""
ALTER TABLE kv ADD COLUMN sum INTEGER NOT NULL DEFAULT {_NO_SUM};
UPDATE meta SET value = 2 WHERE name = 'schema';
"""

log = logging.getLogger(__name__)

Result = Revision | CompareFailed | StoreUnavailable
Proposal = tuple[Sequence[Compare], Sequence[Put | Delete]]


class Database:
    """One SQLite file, open for as long as the value lives. Raises StoreUnavailable when it cannot be opened."""

    def __init__(self, path: Path, *, history: int) -> None:
        self._path = path
        self._keep = history
        # Set when what is on the disk can no longer be known; only a restart helps.
        self._broken = ""
        # Why the last write failed; empty when it did not.
        self._trouble = ""
        self._revision = Revision(0)
        self._compacted = Revision(0)
        self._id = 0
        self._mark = Mark(path.with_name(f"{path.name}-mark"))
        try:
            self._open()
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"{path}: {error}") from error
        except OSError as error:
            raise StoreUnavailable(f"{error.filename or path}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise self._damaged(str(error)) from error

    def write(self, group: Sequence[Proposal]) -> tuple[list[Result], list[Commit]]:
        """The answers, one a job, and the commits to tell of. A disk error is the answer to all."""
        if self._broken:
            return [StoreUnavailable(self._broken) for _ in group], []
        before = self._revision
        results: list[Result] = []
        commits: list[Commit] = []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for compares, writes in group:
                results.append(self._write_one(compares, writes, commits))
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'revision'", (self._revision,))
            self._trim()
            self._db.execute("COMMIT")
        except (sqlite3.Error, ValueError, OverflowError) as error:
            # ValueError: text that is not Unicode, OverflowError: a number too large; SQLite takes neither.
            self._revision = before
            self._undo()
            if isinstance(error, sqlite3.Error):
                self._failed(str(error))
            return [StoreUnavailable(f"{self._path}: {error}") for _ in group], []
        self._went_well()
        if commits:
            self._mark.write(self._id, self._revision)
        return results, commits

    def check(self) -> None:
        """Raises StoreUnavailable when a commit would fail. Writes nothing while all goes well."""
        if self._trouble and not self._broken:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(_TRIAL)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self._undo()
                self._failed(str(error))
            else:
                self._went_well()
        if self._broken or self._trouble:
            raise StoreUnavailable(self._broken or f"{self._path}: {self._trouble}")

    def _failed(self, trouble: str) -> None:
        """Told once: those who write come again and again."""
        if trouble != self._trouble:
            log.error("store %s: cannot be written: %s", self._path, self._broken or trouble)
        self._trouble = trouble

    def _went_well(self) -> None:
        if self._trouble:
            log.warning("store %s: can be written again", self._path)
        self._trouble = ""

    def _write_one(
        self, compares: Sequence[Compare], writes: Sequence[Put | Delete], commits: list[Commit]
    ) -> Revision | CompareFailed:
        self._db.execute("SAVEPOINT one")
        for compare in compares:
            row = self._db.execute("SELECT modified FROM kv WHERE key = ?", (compare.key,)).fetchone()
            if (row[0] if row else 0) != compare.mod_revision:
                self._db.execute("ROLLBACK TO one")
                self._db.execute("RELEASE one")
                return CompareFailed(compare.key)
        revision = Revision(self._revision + 1)
        changes: list[tuple[str, bytes | None]] = []
        for write in writes:
            change = self._put_or_delete(write, revision)
            if change is not None:
                changes.append(change)
        self._db.execute("RELEASE one")
        if changes:
            self._revision = revision
            commits.append(Commit(revision, tuple(changes)))
        return self._revision

    def _put_or_delete(self, write: Put | Delete, revision: Revision) -> tuple[str, bytes | None] | None:
        if isinstance(write, Put):
            self._db.execute(
                "INSERT INTO kv VALUES (?1, ?2, ?3, ?3, ?4) "
                "ON CONFLICT (key) DO UPDATE SET value = ?2, modified = ?3, sum = ?4",
                (write.key, write.value, revision, row_sum(write.key, write.value, revision)),
            )
            value: bytes | None = write.value
        else:
            if self._db.execute("DELETE FROM kv WHERE key = ?", (write.key,)).rowcount == 0:
                return None
            value = None
        self._db.execute("INSERT INTO log VALUES (?, ?, ?)", (revision, write.key, value))
        return write.key, value

    def _trim(self) -> None:
        """Keeps the log bounded; a whole batch at a time, so that it costs little a commit."""
        if self._revision - self._compacted > 2 * self._keep:
            self._forget(Revision(self._revision - self._keep))

    def _forget(self, upto: Revision) -> None:
        self._db.execute("DELETE FROM log WHERE revision <= ?", (upto,))
        self._db.execute("UPDATE meta SET value = ? WHERE name = 'compacted'", (upto,))
        self._compacted = upto

    def _undo(self) -> None:
        """Rolls back after a disk error, and makes sure that the disk holds what was acknowledged and no more."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            on_disk, self._compacted = self._read_meta()
        except sqlite3.Error as error:
            self._broken = f"{self._path}: unusable after a disk error: {error}"
            return
        if on_disk != self._revision:
            self._broken = f"{self._path}: a commit that failed is on the disk; restart the master"

    def _read_meta(self) -> tuple[Revision, Revision]:
        rows = dict(self._db.execute("SELECT name, value FROM meta").fetchall())
        return Revision(rows["revision"]), Revision(rows["compacted"])

    def _damaged(self, why: str) -> StoreDamaged:
        return StoreDamaged(
            f"{self._path}: {why}; restore the file from a copy, or move it and every {self._path.name}-* away "
            "to begin with an empty cluster"
        )

    def _open(self) -> None:
        if self._path.is_symlink() and not self._path.exists():
            raise self._damaged("a symbolic link that leads nowhere")
        if not self._path.exists():
            self._create()
        elif not self._path.is_file():
            raise self._damaged("no file")
        elif self._path.stat().st_size == 0:
            raise self._damaged("the file is empty")
        log_file = self._path.with_name(f"{self._path.name}-wal")
        if os.path.lexists(log_file) and not log_file.is_file():
            raise self._damaged(f"its log {log_file.name} is no file")
        # Every secret of the cluster is in it. SQLite gives its log the same mode.
        self._path.chmod(_MODE)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=32)
        try:
            # A second master on the same file must not write between our transactions. Said first: the log needs no
            # shared memory then.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._check()
            self._revision, self._compacted = self._read_meta()
            self._check_mark()
        except BaseException:
            self._db.close()
            raise

    def _check_mark(self) -> None:
        """The store is the one that was here before, and has everything that was acknowledged."""
        row = self._db.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
        if row is None:
            row = (secrets.randbits(62),)
            self._db.execute("INSERT INTO meta VALUES ('id', ?)", row)
        self._id = row[0]
        newest = self._db.execute("SELECT max(modified) FROM kv").fetchone()[0] or 0
        if newest > self._revision:
            raise self._damaged(f"the file is damaged: it has revision {self._revision} and a key of {newest}")
        try:
            marked = self._mark.read()
        except OSError as error:
            raise StoreDamaged(f"{self._mark.path}: {error.strerror}; remove it") from error
        if marked is not None and marked.store_id != self._id:
            raise StoreDamaged(
                f"{self._path}: another store than the one that was here; put that one back, or remove "
                f"{self._mark.path.name} to go on with this one"
            )
        if marked is not None and marked.revision > self._revision:
            raise StoreDamaged(
                f"{self._path}: the end is missing: revision {marked.revision} was acknowledged, the file and its log "
                f"have {self._revision}; restore both from a newer copy, or remove {self._mark.path.name} to go on "
                "without what was lost"
            )
        self._mark.write(self._id, self._revision)

    def _create(self) -> None:
        """A new file, whole or not at all: one that is there and empty was therefore a store once."""
        for name in (f"{self._path.name}-wal", self._mark.path.name):
            if os.path.lexists(self._path.with_name(name)):
                raise self._damaged(f"missing, though {name} is there")
        partial = atomicfile.partial_of(self._path)
        partial.unlink(missing_ok=True)
        partial.touch(_MODE)
        made = sqlite3.connect(partial, isolation_level=None)
        try:
            made.executescript(f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('id', {secrets.randbits(62)}); COMMIT;")
        finally:
            made.close()
        partial.replace(self._path)
        atomicfile.flush(self._path.parent)

    def _check(self) -> None:
        """The file is one of ours, whole, and of a release that this one understands."""
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        schema = None
        if tables >= _TABLES:
            schema = self._db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        if schema is None:
            raise self._damaged("the file is a database, but not a store of this program")
        if schema[0] not in (1, SCHEMA_VERSION):
            raise StoreDamaged(
                f"{self._path}: the file has schema {schema[0]}, this release reads {SCHEMA_VERSION}; "
                f"start it with the release that wrote it{self._way_back()}"
            )
        said = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise self._damaged(f"the file is damaged: {said}")
        if schema[0] == 1:
            self._keep_copy(1)
            self._db.executescript(f"BEGIN IMMEDIATE; {_UPGRADE} COMMIT;")

    def _copy_of(self, schema: int) -> Path:
        return self._path.with_name(f"{self._path.name}-schema{schema}")

    def _keep_copy(self, schema: int) -> None:
        """Whole or not there, and on the disk before anything is changed."""
        kept = self._copy_of(schema)
        partial = atomicfile.partial_of(kept)
        partial.unlink(missing_ok=True)
        self.copy(partial)
        atomicfile.flush(partial)
        partial.replace(kept)
        atomicfile.flush(kept.parent)
        log.warning("store %s: schema %d becomes %d; as it was, it is kept in %s", self._path, schema, SCHEMA_VERSION,
                    kept.name)  # fmt: skip

    def _way_back(self) -> str:
        copy = self._copy_of(SCHEMA_VERSION)
        if not copy.exists():
            return ""
        return (
            f", or go back to the time before it, without what was written since: mv {copy} {self._path} && "
            f"rm -f {self._path}-wal {self._mark.path}"
        )

    def get(self, key: str) -> KeyValue | None:
        """Raises StoreDamaged."""
        query = "SELECT key, value, modified, created, sum FROM kv WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return self._whole(*row) if row else None

    def scan(self, prefix: str) -> tuple[list[KeyValue], Revision]:
        """Raises StoreDamaged."""
        rows = self._db.execute(
            "SELECT key, value, modified, created, sum FROM kv WHERE key >= ? AND key < ? ORDER BY key",
            (prefix, prefix + "\U0010ffff"),
        )
        return [self._whole(*row) for row in rows], self._revision

    def _whole(self, key: str, value: bytes, modified: int, created: int, total: int) -> KeyValue:
        if not isinstance(value, bytes) or total not in (_NO_SUM, row_sum(key, value, modified)):
            raise self._damaged(f"the value of {key} is damaged")
        return KeyValue(key, value, Revision(modified), Revision(created))

    def history(self, after: Revision) -> list[Commit]:
        if after < self._compacted:
            raise Compacted(self._compacted)
        commits: dict[int, list[tuple[str, bytes | None]]] = {}
        query = "SELECT revision, key, value FROM log WHERE revision > ? ORDER BY rowid"
        for revision, key, value in self._db.execute(query, (after,)):
            commits.setdefault(revision, []).append((key, value))
        return [Commit(Revision(revision), tuple(changes)) for revision, changes in commits.items()]

    def copy(self, path: Path) -> Revision:
        """A copy of everything as it stands at one revision, which is returned. Commits wait for it."""
        path.touch(_MODE, exist_ok=False)
        copied = sqlite3.connect(path)
        try:
            self._db.backup(copied)
            copied.execute("PRAGMA journal_mode = DELETE")  # one file, whole without a log
        finally:
            copied.close()
        return self._revision

    def compact(self, before: Revision) -> None:
        upto = Revision(min(before - 1, self._revision))
        if upto <= self._compacted:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._forget(upto)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._undo()
            raise

    def close(self) -> None:
        self._db.close()
        self._mark.close()


def row_sum(key: str, value: bytes, modified: int) -> int:
    """The checksum that a row of `kv` carries."""
    return zlib.crc32(value, zlib.crc32(b"%d %b" % (modified, key.encode())))
