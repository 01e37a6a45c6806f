"""Every file that a master reads, damaged in every way: the table says what comes of it.

Refused: exit code 1 and one line on stderr that names the file and what to do. Otherwise the master starts, as the
same cluster with everything that it had: what can be made anew is made anew, and never is there an empty start.
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

MADE_ANEW = "made anew"
"""Starts; the file is as good as before."""
HARMLESS = "harmless"
"""Starts; nothing of the file was needed."""
EITHER = "refused or whole"
"""A bit may lie where nothing is: whatever starts has everything, unchanged."""

RESTORE, REMOVE = "restore", "remove"
ALL = tuple(DAMAGES)
STORE, AUTHORITY, ISSUED = "data/store.db", ("data/pki/ca.key", "data/pki/ca.crt"), ("server", "admin")


def _rows() -> Iterator[tuple[str, str, str]]:
    """File, damage, outcome: a word for a start, else what the one line says beside the file's name."""
    for damage in ALL:
        # Pages that the log has too are taken from there.
        yield STORE, damage, EITHER if damage in (*BITS, "last byte lost", "scribbled") else RESTORE
        # The log is whole, or the end of it is missing; a bit behind the last commit is nobody's.
        yield f"{STORE}-wal", damage, EITHER if damage in BITS else "store.db: restore"
        yield f"{STORE}-mark", damage, "remove it" if damage in UNREADABLE else HARMLESS
        for file in AUTHORITY:
            # Texts in PEM: a bit may lie in a line's end or in its last characters' unused bits. A certificate is
            # made anew by its key, and is as good to every node as the one that was there.
            remade = (file, damage) == ("data/pki/ca.crt", "missing")
            either = damage in (*BITS, "last byte lost")
            yield file, damage, MADE_ANEW if remade else EITHER if either else RESTORE
        for name in ISSUED:
            for ending in ("key", "crt"):
                file = f"data/pki/{name}.{ending}"
                yield file, damage, REMOVE if damage == "directory" else MADE_ANEW
        yield "data/admin.kubeconfig", damage, REMOVE if damage == "directory" else MADE_ANEW
        yield "token", damage, EITHER if damage in (*BITS, "last byte lost") else "bootstrap_token_file"
        yield "master.toml", damage, EITHER if damage in (*BITS, *CUTS) else "master.toml"
    for damage in ("missing", "noise", "dangling", *UNREADABLE):
        yield "data/lock", damage, HARMLESS if damage in ("missing", "noise") else "data directory"


def _identity(row: tuple[str, str, str]) -> str:
    return f"{row[0]}-{row[1]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start ended."""

    code: int
    said: str


def start(directory: Path, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """A master that stops as soon as everything is loaded."""
    capsys.readouterr()
    with nothing_elsewhere(directory / "master.toml"):
        code = main(["master", "--config", str(directory / "master.toml")])
    return Outcome(code, capsys.readouterr().err)


def _shorten(patch: pytest.MonkeyPatch) -> None:
    """The process is the tests': its environment and log stay, and the master ends at once."""
    patch.setenv("GRPC_VERBOSITY", "NONE")
    patch.setattr("hull.logs.configure", lambda *_: None)
    patch.setattr("cli.main._configure_logging", lambda **_: None)
    patch.setattr(assembly, "_parts", lambda core: [])
    serve = assembly.serve

    async def briefly(config: MasterConfig, pki: Pki, stopping: asyncio.Event, config_path: Path, *_: object) -> None:
        stopping.set()
        await serve(config, pki, stopping, config_path)

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
    """What the store holds, read by SQLite itself."""
    with closing(sqlite3.connect(directory / "data" / "store.db")) as database:
        return dict(database.execute("SELECT key, value FROM kv"))


async def _die_without_closing(directory: Path, target: Path) -> None:
    """Commits that lie in the log only, copied as a power cut leaves them."""
    store = await SqliteStore.open(directory / "data" / "store.db")
    for number in range(40):
        await store.commit([], [Put(f"/witness/{number}", b"w" * 500)])
    shutil.copytree(directory, target)
    await store.close()


def _made(base: Path, name: str) -> Path:
    """The files of a master that was killed."""
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
    """Another cluster's."""
    return _made(tmp_path_factory.mktemp("masters"), "stranger")


@pytest.fixture
def master(killed: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "master"
    shutil.copytree(killed, copy)
    write_config(copy)
    return copy


@pytest.fixture(scope="module")
def whole(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the store holds when nothing is damaged."""
    copy = tmp_path_factory.mktemp("whole") / "master"
    shutil.copytree(killed, copy)
    return content(copy)


def refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 1, outcome
    assert outcome.said.startswith("sampan: ") and outcome.said.count("\n") == 1, outcome.said
    for word in words:
        assert word in outcome.said, outcome.said


def _is_whole(master: Path, killed: Path, whole: dict[str, bytes], *, but: str = "") -> None:
    """The same cluster, with everything. A file that people write may say something else: its token is another one."""
    kept = {key for key in whole if not (but == "token" and "bootstrap-token" in key)}
    found = content(master)
    assert {key: found.get(key) for key in kept} == {key: whole[key] for key in kept}
    for file in set(AUTHORITY) - {but}:
        ours, before = (path / file for path in (master, killed))
        assert b"".join(ours.read_bytes().split()) == b"".join(before.read_bytes().split())


@pytest.mark.parametrize(("file", "damage", "outcome"), [pytest.param(*row, id=_identity(row)) for row in _rows()])
def test_a_damaged_file_is_refused_by_name_or_made_anew(
    master: Path,
    killed: Path,
    whole: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    file: str,
    damage: str,
    outcome: str,
) -> None:
    DAMAGES[damage](master / file)
    found = start(master, capsys)
    if outcome == EITHER:
        outcome = HARMLESS if found.code == 0 else ""
    if file == "master.toml" and outcome == "":
        refused(found)  # in its name, or in the name of what it leads to
        return
    if outcome in (MADE_ANEW, HARMLESS):
        assert found == Outcome(0, "")
        _is_whole(master, killed, whole, but=file if outcome == MADE_ANEW or file == "token" else "")
        assert start(master, capsys) == Outcome(0, "")
        if outcome == MADE_ANEW:
            assert (master / file).is_file()
        return
    named = "store.db" if "store.db" in file else Path(file).name
    refused(found, named, outcome.removeprefix("store.db: "))
    assert start(master, capsys) == found, "nor is it mended by trying again"


OTHERS = [
    pytest.param(["data/store.db", "data/store.db-wal"], "another store than the one that was here", id="store"),
    pytest.param(["data/store.db", "data/store.db-wal", "data/store.db-mark"], "of another cluster", id="whole store"),
    pytest.param(["data/pki/ca.key"], "ca.crt: not of the key ca.key", id="CA key"),
    pytest.param(["data/pki/ca.crt"], "ca.crt: not of the key ca.key", id="CA certificate"),
    pytest.param(["data/pki/ca.crt", "data/pki/ca.key"], "ca.crt: of another cluster than the store", id="CA"),
    pytest.param(["data/store.db-mark"], "another store than the one that was here", id="mark"),
]


@pytest.mark.parametrize(("files", "says"), OTHERS)
def test_files_of_another_cluster_are_not_taken_for_ours(
    master: Path, stranger: Path, capsys: pytest.CaptureFixture[str], files: list[str], says: str
) -> None:
    for file in files:
        shutil.copy(stranger / file, master / file)
    refused(start(master, capsys), says)


def test_certificates_of_another_cluster_are_made_anew(
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


def test_a_store_of_a_newer_release_is_left_alone(master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(master / "data" / "store.db")) as database:
        database.execute("UPDATE meta SET value = 9 WHERE name = 'schema'")
        database.commit()
    refused(start(master, capsys), "store.db: the file has schema 9", "start it with the release that wrote it")


def test_a_configuration_of_a_newer_release_names_what_is_new(master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (master / "master.toml").open("a") as file:
        file.write("replicas = 3\n")
    refused(start(master, capsys), "master.toml: replicas: no such setting")


def test_a_store_of_the_release_before_is_taken_over(
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


def test_one_changed_value_in_a_sound_database_is_found(master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(master / "data" / "store.db")) as database:
        database.execute("UPDATE kv SET value = replace(value, 'kube-system', 'cube-system') WHERE key LIKE '/reg%'")
        database.commit()
    refused(start(master, capsys), "store.db: the value of /registry/", "is damaged; restore")


@pytest.mark.parametrize("lost", [1, 100, 5000])
def test_acknowledged_commits_that_are_missing_at_the_end_are_missed(
    master: Path, capsys: pytest.CaptureFixture[str], lost: int
) -> None:
    """SQLite itself starts with what is left, as after a crash; the mark knows how much there was."""
    log = master / "data" / "store.db-wal"
    log.write_bytes(log.read_bytes()[:-lost])
    found = start(master, capsys)
    refused(found, "store.db: the end is missing: revision", "or remove store.db-mark to go on without what was lost")
    (master / "data" / "store.db-mark").unlink()
    assert start(master, capsys) == Outcome(0, "")


def test_what_was_never_acknowledged_may_be_missing(
    master: Path, killed: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """A write that a power cut tore: bytes behind the last commit that make no whole one."""
    with (master / "data" / "store.db-wal").open("ab") as file:
        file.write(b"\x00\x00\x00\x07" * 700)
    assert start(master, capsys) == Outcome(0, "")
    _is_whole(master, killed, whole)
