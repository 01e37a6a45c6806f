"""`sampan certs`, `backup` and `restore`, with a master that runs in the test and with one that does not run."""

from __future__ import annotations

import asyncio
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.main import main
from master.administration import SOCKET
from master.clock import SystemClock
from master.config import MasterConfig
from master.control import Control
from master.dispatch.identities import Certificate, Identities
from master.dispatch.sessions import Sessions
from master.dispatch.trust import Trust
from master.pki import Pki
from master.store.interface import Put
from master.store.sqlite import SqliteStore

Run = Callable[..., "asyncio.Future[tuple[int, str, str]]"]


@asynccontextmanager
async def running_master(data_dir: Path) -> AsyncIterator[Control]:
    """As much of a master as its control socket needs."""
    clock = SystemClock()
    pki = Pki.prepare(MasterConfig(data_dir=data_dir))
    store = await SqliteStore.open(data_dir / "store.db")
    await store.commit([], [Put("/meta/cluster-id", b"c-1")])
    identities = Identities(store, clock, cluster_cidr="10.244.0.0/16", pod_cidr_prefix=24)
    sessions = Sessions(clock, heartbeat_s=1, grace_s=10)
    control = Control(pki, Trust(pki, identities, sessions, store), identities, store, "c-1", None)
    task = asyncio.create_task(control.run())
    while not (data_dir / SOCKET).exists():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    try:
        yield control
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    # Longer than the address of a socket may be.
    return tmp_path / ("directory-" * 12) / "master"


@pytest.fixture
def sampan(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., asyncio.Future[tuple[int, str, str]]]:
    async def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, [*words, "--data-dir", str(data_dir)])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run  # type: ignore[return-value]


async def test_certs_shows_each_of_them_with_its_end(data_dir: Path, sampan: Run) -> None:
    async with running_master(data_dir) as master:
        ends = (datetime.now(UTC) + timedelta(days=10.5)).isoformat()
        await master.identities.create("n1", Certificate("f", "k", master.pki.signer.fingerprint, ends))
        code, table, _ = await sampan("certs")
        assert code == 0
        rows = {line.split()[0]: line for line in table.splitlines()}
        assert "CN=sampan-ca" in rows["ca"] and "3649d" in rows["ca"] and str(data_dir / "pki/ca.crt") in rows["ca"]
        assert "364d" in rows["server"] and "CN=sampan-admin,O=system:masters" in rows["admin"]
        assert "CN=system:node:n1" in rows["node/n1"] and "CN=sampan-ca" in rows["node/n1"] and "10d" in rows["node/n1"]
        code, text, _ = await sampan("certs", "-o", "json")
        certificates = {certificate["name"]: certificate for certificate in json.loads(text)["certificates"]}
        assert certificates["node/n1"]["notAfter"] == ends
        assert certificates["server"]["remainingSeconds"] == pytest.approx(365 * 86400, abs=600)


async def test_certs_of_a_master_that_does_not_run_are_read_from_its_files(data_dir: Path, sampan: Run) -> None:
    Pki.prepare(MasterConfig(data_dir=data_dir))
    code, table, output = await sampan("certs")
    assert (code, [line.split()[0] for line in table.splitlines()]) == (0, ["NAME", "ca", "server", "admin"])
    assert "no master runs" in output
    code, _, output = await sampan("certs", "rotate")
    assert code == 4 and "no master runs" in output and "start it" in output


async def test_a_directory_without_a_master_s_data_is_named(data_dir: Path, sampan: Run) -> None:
    code, _, output = await sampan("certs")
    assert code == 1 and "not a master's data directory" in output


@pytest.mark.parametrize(
    ("name", "changes"), [("server", {"server"}), ("admin", {"admin"}), ("all", {"server", "admin"})]
)
async def test_rotate_renews_what_is_named(data_dir: Path, sampan: Run, name: str, changes: set[str]) -> None:
    async with running_master(data_dir) as master:
        pairs = {"ca": master.pki.authority, "server": master.pki.server, "admin": master.pki.admin}
        before = {name: pair.certificate.read_bytes() for name, pair in pairs.items()}
        kubeconfig = master.pki.kubeconfig.read_text()
        code, output, _ = await sampan("certs", "rotate", name)
        assert code == 0 and "renewed" in output
        assert {name for name, pair in pairs.items() if pair.certificate.read_bytes() != before[name]} == changes
        assert (master.pki.kubeconfig.read_text() != kubeconfig) == ("admin" in changes)


async def test_rotate_marks_nodes_and_refuses_unknown_names(data_dir: Path, sampan: Run) -> None:
    async with running_master(data_dir) as master:
        await master.identities.create("n1", Certificate("f", "k", master.pki.signer.fingerprint, ""))
        code, output, _ = await sampan("certs", "rotate", "n1")
        assert code == 0 and "n1 is asked" in output
        assert (await master.identities.get("n1")).renew  # type: ignore[union-attr]
        code, _, output = await sampan("certs", "rotate", "n2")
        assert code == 1 and "there is no certificate 'n2'" in output
        code, _, output = await sampan("certs", "rotate", "ca", "--finish")
        assert code == 1 and "no rotation of the CA is in progress" in output


async def test_the_ca_is_rotated_in_two_steps_and_the_second_names_the_nodes_that_are_not_ready(
    data_dir: Path, sampan: Run
) -> None:
    async with running_master(data_dir) as master:
        old = master.pki.ca_hash
        identity = await master.identities.create("n1", Certificate("f", "k", master.pki.signer.fingerprint, ""))
        assert identity is not None
        code, output, _ = await sampan("certs", "rotate", "ca")
        assert code == 0 and "--finish" in output
        code, _, output = await sampan("certs", "rotate", "ca", "--finish")
        assert code == 1 and "node n1 has joined, but never connected" in output
        _, table, _ = await sampan("certs")
        assert "ca-next" in table and "node n1 has joined, but never connected" in table
        known = await master.identities.get("n1")
        assert known is not None
        ready = replace(known, machine_id="m", trusted=tuple(master.pki.trusted), issuer=master.pki.signer.fingerprint)
        assert await master.identities.replace(known, ready)
        assert "Every node is ready for `sampan certs rotate ca --finish`" in (await sampan("certs"))[1]
        code, output, _ = await sampan("certs", "rotate", "ca", "--finish")
        assert code == 0 and "sampan token create" in output and master.pki.ca_hash in output
        assert master.pki.ca_hash != old and "ca-next" not in (await sampan("certs"))[1]


async def test_a_backup_is_made_while_the_master_runs_and_restored_when_it_does_not(
    data_dir: Path, tmp_path: Path, sampan: Run
) -> None:
    file = tmp_path / "cluster.tar"
    async with running_master(data_dir) as master:
        code, output, _ = await sampan("backup", str(file))
        assert code == 0 and str(file) in output
        assert file.stat().st_mode & 0o777 == 0o600
        with tarfile.open(file) as tar:
            assert "store.db" in tar.getnames()
        code, _, output = await sampan("backup", str(tmp_path / "nowhere" / "x.tar"))
        assert code == 1 and "nowhere" in output
        await master.store.commit([], [Put("/test/later", b"1")])
    code, _, output = await sampan("restore", str(file))
    assert code == 1 and "--force" in output
    code, output, _ = await sampan("restore", str(file), "--force")
    assert code == 0 and "cluster c-1" in output and "replaced-" in output
    async with running_master(data_dir) as master:
        assert await master.store.get("/test/later") is None
    code, _, output = await sampan("backup", str(file))
    assert code == 4 and "no master runs" in output
    assert list(tmp_path.glob(".cluster*")) == []
    code, _, output = await sampan("restore", str(tmp_path / "none.tar"))
    assert code == 1 and "no such file" in output


async def test_another_user_is_refused_at_the_control_socket(
    data_dir: Path, sampan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_master(data_dir):
        assert (data_dir / SOCKET).stat().st_mode & 0o077 == 0
        monkeypatch.setattr("master.control._is_permitted", lambda _: False)
        code, _, output = await sampan("backup", str(data_dir / "x.tar"))
        assert code == 1 and "only root and the master's own user may" in output
    assert not (data_dir / SOCKET).exists()
