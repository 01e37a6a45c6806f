"""Backups of a running master, and restores: what they change, and what they refuse."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from master import backup
from master.backup import RestoreRefused, Source, restore
from master.cache import Cache, HistoryGone
from master.config import MasterConfig
from master.datadir import CLUSTER_ID_KEY, RESTORING, MasterFailed, locked
from master.dispatch.identities import Identities
from master.main import run as run_master
from master.pki import Pki
from master.store.errors import Compacted, StoreDamaged
from master.store.interface import Put, Revision
from master.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock


@pytest.fixture
def config(tmp_path: Path) -> MasterConfig:
    return MasterConfig(data_dir=tmp_path / "data")


async def put(store: SqliteStore, **values: str) -> int:
    return await store.commit([], [Put(f"/test/{key}", value.encode()) for key, value in values.items()])


async def saved(config: MasterConfig, archive: Path, *, later: int = 0, cluster: str = "c-1", **values: str) -> int:
    """Backs up a master with these values and makes `later` commits after it. Returns the store's last revision."""
    config_path = config.data_dir.parent / "master.toml"
    config_path.write_text("data_dir = 'x'")
    pki = Pki.prepare(config)
    store = await SqliteStore.open(config.data_dir / "store.db")
    await store.commit([], [Put(CLUSTER_ID_KEY, cluster.encode())])
    await put(store, **values)
    with await Source(pki, store, cluster, config_path).write() as file:
        archive.write_bytes(file.read())
    for number in range(later):
        await put(store, later=str(number))
    last = (await store.list("/"))[1]
    await store.close()
    return last


async def test_a_backup_has_one_revision_and_leaves_no_temporary_files(config: MasterConfig, tmp_path: Path) -> None:
    await saved(config, tmp_path / "b.tar", a="1", later=3)
    assert {path.name for path in config.data_dir.iterdir() if path.name.startswith(".")} == set()
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
        manifest = json.loads(tar.extractfile("backup.json").read())  # type: ignore[union-attr]
        assert all(entry.mode == 0o600 for entry in tar)
    assert names[0] == "backup.json"
    assert {"store.db", "master.toml", "pki/ca.crt", "pki/ca.key", "pki/server.key"} <= set(names)
    assert (manifest["clusterId"], manifest["revision"], manifest["format"]) == ("c-1", 2, 1)


async def test_a_restore_brings_the_values_back_at_a_higher_revision(config: MasterConfig, tmp_path: Path) -> None:
    last = await saved(config, tmp_path / "b.tar", a="1", later=50)
    keys = Pki.prepare(config).ca_hash
    done = restore(tmp_path / "b.tar", config.data_dir, force=True)
    assert (done.cluster_id, done.set_aside is not None) == ("c-1", True)
    assert done.revision > last
    assert Pki.prepare(config).ca_hash == keys
    store = await SqliteStore.open(config.data_dir / "store.db")
    values, revision = await store.list("/test/")
    assert [(value.key, value.value) for value in values] == [("/test/a", b"1")], "later commits are gone"
    assert revision == done.revision
    with pytest.raises(Compacted):
        await store.history(Revision(revision - 1))
    assert await put(store, b="2") == done.revision + 1
    made_at, restored_at = await Identities(
        store, FakeClock(), cluster_cidr="10.0.0.0/8", pod_cidr_prefix=24
    ).restored()  # type: ignore[misc]
    assert made_at <= restored_at
    await store.close()
    again = restore(tmp_path / "b.tar", config.data_dir, force=True)
    assert again.revision > done.revision + 1, "restoring a backup twice publishes no revision twice"
    assert (config.data_dir / "restored-master.toml").read_text() == "data_dir = 'x'"


async def test_no_revision_is_published_twice_when_the_clock_is_set_back(
    config: MasterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(config, tmp_path / "b.tar")
    first = restore(tmp_path / "b.tar", config.data_dir, force=True)
    monkeypatch.setattr("master.backup.time.time", lambda: 1000.0)
    assert restore(tmp_path / "b.tar", config.data_dir, force=True).revision > first.revision


async def test_a_watch_from_a_revision_before_the_restore_starts_over(config: MasterConfig, tmp_path: Path) -> None:
    from master import kinds

    last = await saved(config, tmp_path / "b.tar", later=5)
    done = restore(tmp_path / "b.tar", config.data_dir, force=True)
    store = await SqliteStore.open(config.data_dir / "store.db")
    cache = await Cache.load(store, kinds.ALL)
    for since in (1, last, last + 1000, done.revision - 1):
        with pytest.raises(HistoryGone):
            cache.watch(kinds.POD, since)
    subscription, past = cache.watch(kinds.POD, done.revision)
    assert past == []
    with subscription:
        pass
    await store.close()


async def test_an_empty_directory_needs_no_force(config: MasterConfig, tmp_path: Path) -> None:
    await saved(config, tmp_path / "b.tar", a="1")
    done = restore(tmp_path / "b.tar", tmp_path / "fresh", force=False)
    assert done.set_aside is None
    assert {path.name for path in (tmp_path / "fresh").iterdir()} == {"lock", "pki", "store.db", "restored-master.toml"}
    assert (tmp_path / "fresh" / "pki" / "ca.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "fresh" / "store.db").stat().st_mode & 0o077 == 0


async def test_a_directory_that_is_not_empty_needs_force(config: MasterConfig, tmp_path: Path) -> None:
    await saved(config, tmp_path / "b.tar")
    before = sorted(path.name for path in config.data_dir.iterdir())
    with pytest.raises(RestoreRefused, match=r"not empty .*store\.db.*--force"):
        restore(tmp_path / "b.tar", config.data_dir, force=False)
    assert sorted({*before, "lock"}) == sorted(path.name for path in config.data_dir.iterdir())


async def test_a_restore_under_a_running_master_is_refused(config: MasterConfig, tmp_path: Path) -> None:
    await saved(config, tmp_path / "b.tar")
    with locked(config.data_dir), pytest.raises(MasterFailed, match="another master is running"):
        restore(tmp_path / "b.tar", config.data_dir, force=True)


async def test_the_state_of_another_cluster_is_not_overwritten(config: MasterConfig, tmp_path: Path) -> None:
    await saved(config, tmp_path / "b.tar", cluster="c-1")
    other = replace(config, data_dir=tmp_path / "other")
    await saved(other, tmp_path / "o.tar", cluster="c-2")
    with pytest.raises(RestoreRefused, match="holds cluster c-2, the backup is of cluster c-1"):
        restore(tmp_path / "b.tar", other.data_dir, force=True)


async def test_a_broken_store_does_not_prevent_a_restore(config: MasterConfig, tmp_path: Path) -> None:
    await saved(config, tmp_path / "b.tar", a="1")
    (config.data_dir / "store.db").write_bytes(b"noise" * 1000)
    assert restore(tmp_path / "b.tar", config.data_dir, force=True).cluster_id == "c-1"


async def test_an_interrupted_restore_is_noticed_and_can_be_repeated(
    config: MasterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(config, tmp_path / "b.tar", a="1")

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_put_in_place", power_cut)
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "b.tar", config.data_dir, force=True)
    assert (config.data_dir / RESTORING).exists()
    toml = tmp_path / "real.toml"
    toml.write_text(f'data_dir = "{config.data_dir}"')
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    with pytest.raises(MasterFailed, match="interrupted; run `sampan restore` again"):
        run_master(toml)
    restore(tmp_path / "b.tar", config.data_dir, force=False)
    assert not (config.data_dir / RESTORING).exists()
    store = await SqliteStore.open(config.data_dir / "store.db")
    assert (await store.get("/test/a")).value == b"1"  # type: ignore[union-attr]
    await store.close()


def _rewritten(change: Callable[[dict[str, bytes]], Any]) -> Callable[[bytes], bytes]:
    """Changes the members of an archive."""

    def rewrite(archive: bytes) -> bytes:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
        change(members)
        rewritten = io.BytesIO()
        with tarfile.open(fileobj=rewritten, mode="w") as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return rewritten.getvalue()

    return rewrite


def _manifest(**changes: Any) -> Callable[[bytes], bytes]:
    def change(members: dict[str, bytes]) -> None:
        members["backup.json"] = json.dumps(json.loads(members["backup.json"]) | changes).encode()

    return _rewritten(change)


def _flipped(archive: bytes) -> bytes:
    """Flips one bit inside the store, which is the last member."""
    offset = archive.rindex(b"/test/") + 1
    return archive[:offset] + bytes((archive[offset] ^ 1,)) + archive[offset + 1 :]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(lambda _: b"hello" * 1000, "not a backup", id="not an archive"),
        pytest.param(lambda _: b"", "not a backup", id="empty"),
        pytest.param(lambda archive: archive[: len(archive) // 2], "incomplete", id="truncated"),
        pytest.param(lambda archive: archive[: 40 * 512], "incomplete", id="truncated early"),
        pytest.param(_flipped, r"damaged: store\.db does not have", id="a flipped bit"),
        pytest.param(_rewritten(lambda m: m.pop("backup.json")), "not a backup of", id="foreign archive"),
        pytest.param(_rewritten(lambda m: m.pop("store.db")), r"store\.db missing", id="no store"),
        pytest.param(_rewritten(lambda m: m.update({"backup.json": b"[]"})), "cannot be read", id="no manifest"),
        pytest.param(_manifest(format=2, version="9.9.9"), "made by release 9.9.9, which is newer", id="newer"),
        pytest.param(_manifest(sha256={"store.db": "0"}), "necessary one is missing", id="no certificates"),
        pytest.param(
            _manifest(sha256={"store.db": "", "pki/ca.crt": "", "pki/ca.key": "", "../../etc/passwd": ""}),
            "names a file that no backup has",
            id="another place",
        ),
        pytest.param(_manifest(clusterId="c-9"), "changed by hand", id="another cluster's manifest"),
    ],
)
async def test_a_damaged_or_foreign_backup_changes_nothing(
    config: MasterConfig, tmp_path: Path, harm: Callable[[bytes], bytes], says: str
) -> None:
    await saved(config, tmp_path / "b.tar", a="1")
    (tmp_path / "b.tar").write_bytes(harm((tmp_path / "b.tar").read_bytes()))
    (config.data_dir / "lock").touch()
    before = {path: path.read_bytes() for path in config.data_dir.rglob("*") if path.is_file()}
    with pytest.raises((RestoreRefused, StoreDamaged), match=says):
        restore(tmp_path / "b.tar", config.data_dir, force=True)
    assert {path: path.read_bytes() for path in config.data_dir.rglob("*") if path.is_file()} == before
