"""The database file of the SQLite store: schema, transactions, and checks at start-up and after a disk error.

Synchronous; used by the store's writer thread only. Each commit of a group has a savepoint, so that a failed comparison
fails only its own commit. A disk error fails all commits of the group, and none of them is written.

Each row has a checksum, because SQLite's own check verifies the structure of the file, not the values: without it a
flipped bit inside a value would go unnoticed. mark.py detects that acknowledged commits are missing at the end.

A file with an older schema is upgraded, and a copy of the old file is kept beside it, because the previous release
cannot read the new schema. The previous release does not return to the copy by itself, as the copy lacks all later
writes; its error message says how an administrator can do it.
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
# The value must change each time, because SQLite does not write a page that stays the same.
_TRIAL = "INSERT INTO meta VALUES ('trial', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
_TABLES = {"kv", "log", "meta"}
# The checksum of rows from schema 1, which had none. They get one with their next write.
_NO_SUM = -1
_UPGRADE = f"""
ALTER TABLE kv ADD COLUMN sum INTEGER NOT NULL DEFAULT {_NO_SUM};
UPDATE meta SET value = 2 WHERE name = 'schema';
"""

log = logging.getLogger(__name__)

Result = Revision | CompareFailed | StoreUnavailable
Proposal = tuple[Sequence[Compare], Sequence[Put | Delete]]


class Database:
    """One open SQLite file. Creating a Database opens it. Raises StoreUnavailable, StoreDamaged."""

    def __init__(self, path: Path, *, history: int) -> None:
        self._path = path
        self._keep = history
        # Set when the content of the disk is unknown after an error. Only a restart helps.
        self._broken = ""
        # Why the last write failed; empty when it succeeded.
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
        """Writes a group. Returns the result of each proposal, and the commits for the listeners.

        After a disk error, every result is StoreUnavailable.
        """
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
            # SQLite refuses text that is not Unicode (ValueError) and numbers that are too large (OverflowError).
            self._revision = before
            self._undo()
            if isinstance(error, sqlite3.Error):
                self._write_failed(str(error))
            return [StoreUnavailable(f"{self._path}: {error}") for _ in group], []
        self._write_succeeded()
        if commits:
            self._mark.write(self._id, self._revision)
        return results, commits

    def check(self) -> None:
        """Raises StoreUnavailable when a commit would fail. Writes only if the last write failed."""
        if self._trouble and not self._broken:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(_TRIAL)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self._undo()
                self._write_failed(str(error))
            else:
                self._write_succeeded()
        if self._broken or self._trouble:
            raise StoreUnavailable(self._broken or f"{self._path}: {self._trouble}")

    def _write_failed(self, trouble: str) -> None:
        """Logs each error only once, because writers try again and again."""
        if trouble != self._trouble:
            log.error("store %s: cannot be written: %s", self._path, self._broken or trouble)
        self._trouble = trouble

    def _write_succeeded(self) -> None:
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
        """Limits the log. Deletes many old commits at a time, so that the cost per commit is small."""
        if self._revision - self._compacted > 2 * self._keep:
            self._forget(Revision(self._revision - self._keep))

    def _forget(self, upto: Revision) -> None:
        self._db.execute("DELETE FROM log WHERE revision <= ?", (upto,))
        self._db.execute("UPDATE meta SET value = ? WHERE name = 'compacted'", (upto,))
        self._compacted = upto

    def _undo(self) -> None:
        """Rolls back after a disk error, and checks that the disk has exactly the acknowledged commits."""
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
            "to start with an empty cluster"
        )

    def _open(self) -> None:
        if self._path.is_symlink() and not self._path.exists():
            raise self._damaged("a symbolic link that leads nowhere")
        if not self._path.exists():
            self._create()
        elif not self._path.is_file():
            raise self._damaged("not a regular file")
        elif self._path.stat().st_size == 0:
            raise self._damaged("the file is empty")
        log_file = self._path.with_name(f"{self._path.name}-wal")
        if os.path.lexists(log_file) and not log_file.is_file():
            raise self._damaged(f"its log {log_file.name} is not a regular file")
        # The file contains every secret of the cluster. SQLite gives its log the same mode.
        self._path.chmod(_MODE)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=32)
        try:
            # A second master on the same file must not write between our transactions. This mode is set before the
            # journal mode, so that the log needs no shared memory.
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
        """Raises StoreDamaged when this is not the store of the last run, or when acknowledged commits are missing."""
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
                f"{self._path}: not the store that was used last; put that file back, or remove "
                f"{self._mark.path.name} to continue with this one"
            )
        if marked is not None and marked.revision > self._revision:
            raise StoreDamaged(
                f"{self._path}: the last commits are missing: revision {marked.revision} was acknowledged, the file "
                f"and its log end at {self._revision}; restore both from a newer copy, or remove "
                f"{self._mark.path.name} to continue without the lost commits"
            )
        self._mark.write(self._id, self._revision)

    def _create(self) -> None:
        """Creates the file atomically. So an empty file is a damaged store, never an unfinished one."""
        for name in (f"{self._path.name}-wal", self._mark.path.name):
            if os.path.lexists(self._path.with_name(name)):
                raise self._damaged(f"missing, though {name} exists")
        partial = atomicfile.partial_of(self._path)
        partial.unlink(missing_ok=True)
        partial.touch(_MODE)
        db = sqlite3.connect(partial, isolation_level=None)
        try:
            db.executescript(f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('id', {secrets.randbits(62)}); COMMIT;")
        finally:
            db.close()
        partial.replace(self._path)
        atomicfile.flush(self._path.parent)

    def _check(self) -> None:
        """Raises StoreDamaged unless the file is an intact store with a schema that this release reads.

        Upgrades a store with schema 1.
        """
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        schema = None
        if tables >= _TABLES:
            schema = self._db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        if schema is None:
            raise self._damaged("the file is a database, but not a store of this program")
        if schema[0] not in (1, SCHEMA_VERSION):
            raise StoreDamaged(
                f"{self._path}: the file has schema {schema[0]}, this release reads {SCHEMA_VERSION}; "
                f"start it with the release that wrote it{self._rollback_hint()}"
            )
        result = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if result != "ok":
            # The check writes a heading and its finding on two lines.
            raise self._damaged("the file is damaged: " + " ".join(result.split()))
        if schema[0] == 1:
            self._keep_copy(1)
            self._db.executescript(f"BEGIN IMMEDIATE; {_UPGRADE} COMMIT;")

    def _copy_of(self, schema: int) -> Path:
        return self._path.with_name(f"{self._path.name}-schema{schema}")

    def _keep_copy(self, schema: int) -> None:
        """Copies the file atomically. The copy is on the disk before the original is changed."""
        kept = self._copy_of(schema)
        partial = atomicfile.partial_of(kept)
        partial.unlink(missing_ok=True)
        self.copy(partial)
        atomicfile.flush(partial)
        partial.replace(kept)
        atomicfile.flush(kept.parent)
        log.warning(
            "store %s: upgrading schema %d to %d; %s is a copy of the old file",
            self._path,
            schema,
            SCHEMA_VERSION,
            kept.name,
        )

    def _rollback_hint(self) -> str:
        copy = self._copy_of(SCHEMA_VERSION)
        if not copy.exists():
            return ""
        return (
            f", or return to the state before its upgrade and lose everything written since: "
            f"mv {copy} {self._path} && rm -f {self._path}-wal {self._mark.path}"
        )

    def get(self, key: str) -> KeyValue | None:
        """The value of a key, or None. Raises StoreDamaged."""
        query = "SELECT key, value, modified, created, sum FROM kv WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return self._verified(*row) if row else None

    def scan(self, prefix: str, *, after: str = "", limit: int | None = None) -> tuple[list[KeyValue], Revision]:
        """The keys with the prefix in order, and the current revision. Raises StoreDamaged.

        Only those behind the key `after`, and at most `limit` of them.
        """
        # One lower bound: SQLite begins its search at one of two, which may be the wrong one.
        first, start = (">", after) if after > prefix else (">=", prefix)
        rows = self._db.execute(
            f"SELECT key, value, modified, created, sum FROM kv WHERE key {first} ? AND key < ? ORDER BY key LIMIT ?",
            (start, prefix + "\U0010ffff", -1 if limit is None else limit),
        )
        return [self._verified(*row) for row in rows], self._revision

    def _verified(self, key: str, value: bytes, modified: int, created: int, total: int) -> KeyValue:
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
        """Copies the store to a new file. Returns the revision of the copy. Commits wait meanwhile."""
        path.touch(_MODE, exist_ok=False)
        copy = sqlite3.connect(path)
        try:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # a single file, complete without a log
        finally:
            copy.close()
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
    """The checksum of a row of `kv`."""
    return zlib.crc32(value, zlib.crc32(b"%d %b" % (modified, key.encode())))
