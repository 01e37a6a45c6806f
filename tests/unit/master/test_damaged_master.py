"""All files that a master reads, damaged in all ways: `_rows` has the outcomes.

Refused: exit code 1 and one line on stderr that names the file and the remedy. Otherwise the master starts as the same
cluster with all its objects: it recreates files where it can, and never starts an empty cluster.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import main
from master import assembly
from master.config import MasterConfig
from master.pki import Pki
from master.store.interface import Put
from master.store.sqlite import SqliteStore
from tests.fakes.damage import BITS, CUTS, DAMAGES, UNREADABLE, nothing_elsewhere

TOKEN = "abcdef.0123456789abcdef"

RECREATED = "recreated"
"""The master starts and creates the file again."""
HARMLESS = "harmless"
"""The master starts without the content of the file."""
EITHER = "refused or whole"
"""The damage may hit an unused byte. The master refuses the file, or starts with everything unchanged."""

RESTORE, REMOVE = "restore", "remove"
ALL = tuple(DAMAGES)
STORE, AUTHORITY, ISSUED = "data/store.db", ("data/pki/ca.key", "data/pki/ca.crt"), ("server", "admin")


def _rows() -> Iterator[tuple[str, str, str]]:
    """File, damage, outcome: a constant when the master starts, else text of its error besides the file's name."""
    for damage in ALL:
        # SQLite reads a damaged page from the log if the log has it.
        yield STORE, damage, EITHER if damage in (*BITS, "last byte lost", "scribbled") else RESTORE
        # A damaged log lacks its last commits. A bit after the last commit is unused.
        yield f"{STORE}-wal", damage, EITHER if damage in BITS else "store.db: restore"
        yield f"{STORE}-mark", damage, "remove it" if damage in UNREADABLE else HARMLESS
        for file in AUTHORITY:
            # In PEM text, a flipped bit may hit the end of a line or unused bits of its last characters. A missing CA
            # certificate is created again from its key; nodes trust it as they trusted the old one.
            recreated = (file, damage) == ("data/pki/ca.crt", "missing")
            either = damage in (*BITS, "last byte lost")
            yield file, damage, RECREATED if recreated else EITHER if either else RESTORE
        for name in ISSUED:
            for ending in ("key", "crt"):
                file = f"data/pki/{name}.{ending}"
                yield file, damage, REMOVE if damage == "directory" else RECREATED
        yield "data/admin.kubeconfig", damage, REMOVE if damage == "directory" else RECREATED
        yield "token", damage, EITHER if damage in (*BITS, "last byte lost") else "bootstrap_token_file"
        yield "master.toml", damage, EITHER if damage in (*BITS, *CUTS) else "master.toml"
    for damage in ("missing", "noise", "dangling", *UNREADABLE):
        yield "data/lock", damage, HARMLESS if damage in ("missing", "noise") else "data directory"


def _identity(row: tuple[str, str, str]) -> str:
    return f"{row[0]}-{row[1]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exit code and stderr of a start."""

    code: int
    stderr: str


def start(directory: Path, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Runs a master that stops as soon as everything is loaded."""
    capsys.readouterr()
    with nothing_elsewhere(directory / "master.toml"):
        code = main(["master", "--config", str(directory / "master.toml")])
    return Outcome(code, capsys.readouterr().err)


def _shorten(patch: pytest.MonkeyPatch) -> None:
    """Makes the master leave the test process's environment and log alone, and stop at once."""
    patch.setenv("GRPC_VERBOSITY", "NONE")
    patch.setattr("hull.logs.configure", lambda *_: None)
    patch.setattr("cli.main._configure_logging", lambda **_: None)
    patch.setattr(assembly, "_parts", lambda core: [])
    serve = assembly.serve

    async def briefly(config: MasterConfig, pki: Pki, store: SqliteStore, stopping: asyncio.Event, *_: object) -> None:
        stopping.set()
        await serve(config, pki, store, stopping)

    patch.setattr(assembly, "serve", briefly)


@pytest.fixture(autouse=True)
def _short_life(monkeypatch: pytest.MonkeyPatch) -> None:
    _shorten(monkeypatch)


def write_config(directory: Path) -> None:
    (directory / "token").write_text(f"{TOKEN}\n")
    (directory / "master.toml").write_text(
        f'data_dir = "{directory}/data"\nlisten_address = "127.0.0.1"\nbootstrap_token_file = "{directory}/token"\n'
    )


def content(directory: Path) -> dict[str, bytes]:
    """The store's keys and values, read with SQLite itself."""
    with closing(sqlite3.connect(directory / "data" / "store.db")) as database:
        return dict(database.execute("SELECT key, value FROM kv"))


async def _die_without_closing(directory: Path, target: Path) -> None:
    """Makes commits that are in the log only, and copies the files as a power cut would leave them."""
    store = await SqliteStore.open(directory / "data" / "store.db")
    for number in range(40):
        await store.commit([], [Put(f"/witness/{number}", b"w" * 500)])
    shutil.copytree(directory, target)
    await store.close()


def _made(base: Path, name: str) -> Path:
    """A directory with the files of a killed master."""
    first, target = base / f"{name}-first", base / name
    first.mkdir()
    write_config(first)
    with pytest.MonkeyPatch.context() as patch:
        _shorten(patch)
        assert main(["master", "--config", str(first / "master.toml")]) == 0
    asyncio.run(_die_without_closing(first, target))
    write_config(target)
    return target


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory.mktemp("masters"), "killed")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of another cluster's master."""
    return _made(tmp_path_factory.mktemp("masters"), "stranger")


@pytest.fixture
def master(killed: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "master"
    shutil.copytree(killed, copy)
    write_config(copy)
    return copy


@pytest.fixture(scope="module")
def whole(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The content of the undamaged store."""
    copy = tmp_path_factory.mktemp("whole") / "master"
    shutil.copytree(killed, copy)
    return content(copy)


def refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 1, outcome
    assert outcome.stderr.startswith("sampan: ") and outcome.stderr.count("\n") == 1, outcome.stderr
    for word in words:
        assert word in outcome.stderr, outcome.stderr


def _is_whole(master: Path, killed: Path, whole: dict[str, bytes], *, but: str = "") -> None:
    """Checks for the same cluster with all objects. Skips the file `but`; a damaged `token` is another token."""
    keys = {key for key in whole if not (but == "token" and "bootstrap-token" in key)}
    actual = content(master)
    assert {key: actual.get(key) for key in keys} == {key: whole[key] for key in keys}
    for file in set(AUTHORITY) - {but}:
        ours, before = (path / file for path in (master, killed))
        assert b"".join(ours.read_bytes().split()) == b"".join(before.read_bytes().split())


@pytest.mark.parametrize(("file", "damage", "outcome"), [pytest.param(*row, id=_identity(row)) for row in _rows()])
def test_a_damaged_file_is_refused_by_name_or_recreated(
    master: Path,
    killed: Path,
    whole: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    file: str,
    damage: str,
    outcome: str,
) -> None:
    DAMAGES[damage](master / file)
    actual = start(master, capsys)
    if outcome == EITHER:
        outcome = HARMLESS if actual.code == 0 else ""
    if file == "master.toml" and outcome == "":
        refused(actual)  # the message names master.toml, or a path in it that the damage changed
        return
    if outcome in (RECREATED, HARMLESS):
        assert actual == Outcome(0, "")
        _is_whole(master, killed, whole, but=file if outcome == RECREATED or file == "token" else "")
        assert start(master, capsys) == Outcome(0, "")
        if outcome == RECREATED:
            assert (master / file).is_file()
        return
    named = "store.db" if "store.db" in file else Path(file).name
    refused(actual, named, outcome.removeprefix("store.db: "))
    assert start(master, capsys) == actual, "a second start fails in the same way"


OTHERS = [
    pytest.param(["data/store.db", "data/store.db-wal"], "not the store that was used last", id="store"),
    pytest.param(["data/store.db", "data/store.db-wal", "data/store.db-mark"], "another cluster", id="whole store"),
    pytest.param(["data/pki/ca.key"], "ca.crt: does not belong to the key ca.key", id="CA key"),
    pytest.param(["data/pki/ca.crt"], "ca.crt: does not belong to the key ca.key", id="CA certificate"),
    pytest.param(["data/pki/ca.crt", "data/pki/ca.key"], "ca.crt: belongs to another cluster than the store", id="CA"),
    pytest.param(["data/store.db-mark"], "not the store that was used last", id="mark"),
]


@pytest.mark.parametrize(("files", "says"), OTHERS)
def test_files_of_another_cluster_are_refused(
    master: Path, stranger: Path, capsys: pytest.CaptureFixture[str], files: list[str], says: str
) -> None:
    for file in files:
        shutil.copy(stranger / file, master / file)
    refused(start(master, capsys), says)


def test_certificates_of_another_cluster_are_replaced(
    master: Path, stranger: Path, killed: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("server", "admin"):
        for ending in ("key", "crt"):
            shutil.copy(stranger / "data" / "pki" / f"{name}.{ending}", master / "data" / "pki")
    shutil.copy(stranger / "data" / "admin.kubeconfig", master / "data")
    assert start(master, capsys) == Outcome(0, "")
    _is_whole(master, killed, whole)
    for file in ("pki/server.crt", "pki/admin.crt", "admin.kubeconfig"):
        assert (master / "data" / file).read_bytes() != (stranger / "data" / file).read_bytes()


def test_a_store_of_a_newer_release_is_refused(master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(master / "data" / "store.db")) as database:
        database.execute("UPDATE meta SET value = 9 WHERE name = 'schema'")
        database.commit()
    refused(start(master, capsys), "store.db: the file has schema 9", "start it with the release that wrote it")


def test_an_unknown_setting_of_a_newer_release_is_named(master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (master / "master.toml").open("a") as file:
        file.write("replicas = 3\n")
    refused(start(master, capsys), "master.toml: replicas: no such setting")


def test_a_store_of_the_previous_release_is_upgraded(
    master: Path, killed: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(master / "data" / "store.db")) as database:
        database.execute("ALTER TABLE kv DROP COLUMN sum")
        database.execute("UPDATE meta SET value = 1 WHERE name = 'schema'")
        database.execute("DELETE FROM meta WHERE name = 'id'")
        database.commit()
    (master / "data" / "store.db-mark").unlink()
    assert start(master, capsys) == Outcome(0, "")
    _is_whole(master, killed, whole)


def test_a_changed_value_in_an_intact_database_is_detected(master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(master / "data" / "store.db")) as database:
        database.execute("UPDATE kv SET value = replace(value, 'kube-system', 'cube-system') WHERE key LIKE '/reg%'")
        database.commit()
    refused(start(master, capsys), "store.db: the value of /registry/", "is damaged; restore")


@pytest.mark.parametrize("lost", [1, 100, 5000])
def test_missing_acknowledged_commits_at_the_end_are_detected(
    master: Path, capsys: pytest.CaptureFixture[str], lost: int
) -> None:
    """SQLite itself would start with the rest, as after a crash. The mark has the last acknowledged revision."""
    log = master / "data" / "store.db-wal"
    log.write_bytes(log.read_bytes()[:-lost])
    refused(
        start(master, capsys),
        "store.db: the last commits are missing: revision",
        "or remove store.db-mark to continue without the lost commits",
    )
    (master / "data" / "store.db-mark").unlink()
    assert start(master, capsys) == Outcome(0, "")


def test_a_write_that_was_not_acknowledged_may_be_missing(
    master: Path, killed: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """A power cut during a write leaves bytes after the last commit that are not a complete commit."""
    with (master / "data" / "store.db-wal").open("ab") as file:
        file.write(b"\x00\x00\x00\x07" * 700)
    assert start(master, capsys) == Outcome(0, "")
    _is_whole(master, killed, whole)
