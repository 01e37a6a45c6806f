"""Facts of the preflight: an engine's answers, active services, foreign settings, a master's answers before a join."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from host.config import master_url
from host.errors import WrongUse
from host.preflight import cluster, gather
from host.preflight.facts import DOCKER_ROOT
from host.preflight.gather import Subject, read_engine
from host.services.snippets import SNIPPETS
from hull import systemd
from master import cluster_api, kinds
from master.api.server import ApiServer
from master.cache import Cache
from master.config import MasterConfig
from master.dispatch.token import make_valid
from master.kinds.core.namespace import Namespace
from master.objects.meta import ObjectMeta
from master.pki import Pki
from master.store.memory import MemoryStore
from tests.fakes.engine import DOCKER, answering
from tests.fakes.sessions import CALLER, TOKEN, MasterEnd

PODMAN = {
    "/version": {"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]},
    "/info": {"DockerRootDir": "/var/lib/containers/storage"},
}


def test_an_engine_is_read(tmp_path: Path) -> None:
    with answering(tmp_path / "engine.sock", DOCKER) as path:
        engine = read_engine(path)
    assert (engine.name, engine.version, engine.api_version) == ("Docker", "20.10.24", (1, 41))
    assert (engine.storage_driver, engine.cgroup_driver, engine.problem) == ("vfs", "systemd", "")
    assert engine.root == DOCKER_ROOT


def test_podman_is_known_by_its_components(tmp_path: Path) -> None:
    with answering(tmp_path / "engine.sock", PODMAN) as path:
        engine = read_engine(path)
    assert (engine.name, engine.root) == ("Podman", Path("/var/lib/containers/storage"))


def test_engines_that_do_not_answer_have_a_problem(tmp_path: Path) -> None:
    assert read_engine(tmp_path / "none.sock").problem == "absent"
    with answering(tmp_path / "engine.sock", {}) as path:
        assert "500" in read_engine(path).problem
    (tmp_path / "dead.sock").touch()
    assert "refused" in read_engine(tmp_path / "dead.sock").problem


def test_managers_whose_configuration_leaves_our_links_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networkd, manager = SNIPPETS["systemd-networkd"], SNIPPETS["NetworkManager"]
    for name, snippet in (("systemd-networkd", networkd), ("NetworkManager", manager)):
        directory = tmp_path / name
        directory.mkdir()
        monkeypatch.setitem(gather._SNIPPETS, name, (str(directory),))
        assert not gather._is_left_alone(name)
        (directory / Path(snippet.path).name).write_text(snippet.content)
        assert gather._is_left_alone(name)


def test_settings_of_shell_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "ufw").write_text('# a comment\nIPV6=yes\nDEFAULT_FORWARD_POLICY="DROP"\n')
    assert gather._setting(tmp_path / "ufw", "DEFAULT_FORWARD_POLICY") == "DROP"
    assert gather._setting(tmp_path / "absent", "ENABLED") == ""


def test_active_services_are_read_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*argv: str, timeout_s: float) -> str:
        assert argv[-4:] == tuple(f"{name}.service" for name in gather._UNITS)
        return "\n\n".join(f"ActiveState={state}" for state in ("active", "inactive", "active", "failed"))

    script = tmp_path / "systemctl"
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(systemd, "RUNTIME", tmp_path)
    monkeypatch.setattr(gather, "_UFW", tmp_path / "ufw.conf")
    (tmp_path / "ufw.conf").write_text("ENABLED=yes\n")
    assert set(gather._active(run)) == {"ufw", "firewalld", "systemd-networkd"}
    monkeypatch.setattr(systemd, "RUNTIME", tmp_path / "absent")
    assert set(gather._active(run)) == {"ufw"}


def test_a_host_is_gathered_without_root_and_without_a_master(tmp_path: Path) -> None:
    subject = Subject("master", "m", tmp_path / "not" / "there", node_address="127.0.0.1", ports=())
    facts = gather.gather(subject)
    assert (facts.kernel, facts.engine, facts.master) == (None, None, None)
    assert facts.addresses.interface == "lo"
    assert str(tmp_path / "not" / "there") in facts.machine.disks


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("10.0.0.1", "https://10.0.0.1:6443"),
        ("master:7443", "https://master:7443"),
        ("https://master", "https://master:6443"),
        ("https://10.0.0.1:6443/", "https://10.0.0.1:6443"),
        ("Master.Example.org", "https://master.example.org:6443"),
    ],
)
def test_addresses_of_a_master(typed: str, url: str) -> None:
    assert master_url(typed) == url


@pytest.mark.parametrize("typed", ["", "http://10.0.0.1", "10.0.0.1/path", "host:port"])
def test_invalid_addresses_of_a_master_are_refused(typed: str) -> None:
    with pytest.raises(WrongUse, match="address of a master"):
        master_url(typed)


def test_the_difference_of_the_clocks_is_read_from_the_header() -> None:
    now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
    time_s = now.timestamp() + 0.5
    assert cluster._ahead(format_datetime(now, usegmt=True), time_s, time_s) == pytest.approx(0)
    behind = format_datetime(now + timedelta(seconds=30), usegmt=True)
    assert cluster._ahead(behind, time_s - 1, time_s + 1) == pytest.approx(-30)
    assert cluster._ahead("nonsense", time_s, time_s) is None
    assert cluster._ahead(None, time_s, time_s) is None


@pytest_asyncio.fixture
async def api(pki: Pki, tmp_path: Path) -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    end = MasterEnd(pki, store, await Cache.load(store, kinds.ALL))
    await end.resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="kube-system")))
    await make_valid(end.resources, TOKEN)
    await end.identity("taken")
    config = MasterConfig(data_dir=tmp_path, listen_address="127.0.0.1", api_port=0, advertise_addresses=("127.0.0.1",))
    server = cluster_api.server(config, end.resources, pki, end.logs, end.join, clock=end.clock)
    task = asyncio.create_task(server.run())
    await server.ready.wait()
    yield server
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ask(api: ApiServer, ca_hash: str, token: str, name: str = "n") -> Any:
    body = {"nodeName": name, "address": "10.0.0.9", "publicKey": ""}
    return await asyncio.to_thread(cluster.ask, f"https://127.0.0.1:{api.port}", ca_hash, token, body)


async def test_a_master_answers_with_its_networks_and_time_to_a_token(api: ApiServer, pki: Pki) -> None:
    master, cidrs = await ask(api, pki.ca_hash, TOKEN)
    assert (master.problem, master.distrust, master.validity, master.refusal) == ("", "", "", "")
    assert (master.name_taken, master.address_taken_by) == ("", "")
    assert abs(master.clock_ahead_s) < 30
    assert (cidrs.cluster, cidrs.service, cidrs.asked) == (
        IPv4Network("10.244.0.0/16"),
        IPv4Network("10.96.0.0/16"),
        True,
    )
    assert "already exists" in (await ask(api, pki.ca_hash, TOKEN, "taken"))[0].name_taken


async def test_the_token_is_sent_to_the_trusted_master_only(api: ApiServer, pki: Pki) -> None:
    master, cidrs = await ask(api, "sha256:" + "0" * 64, TOKEN)
    assert "another cluster" in master.distrust
    assert cidrs is None
    assert not master.refusal
    master, _ = await ask(api, "", "")
    assert (master.problem, master.distrust) == ("", "")


async def test_an_invalid_token_is_refused(api: ApiServer, pki: Pki) -> None:
    master, cidrs = await ask(api, pki.ca_hash, "abcdef.fedcba9876543210")
    assert "not valid" in master.refusal
    assert cidrs is None


async def test_at_another_time_the_certificates_are_not_valid(api: ApiServer) -> None:
    met = await asyncio.to_thread(cluster._connect, f"https://127.0.0.1:{api.port}")
    now = datetime.now(UTC)
    assert cluster.validity(met, now) == ""
    assert "begins at" in cluster.validity(met, now - timedelta(days=30))
    assert "ended at" in cluster.validity(met, now + timedelta(days=30_000))


def test_a_master_that_does_not_answer_has_a_problem() -> None:
    master, cidrs = cluster.ask("https://127.0.0.1:1", "", "", {})
    assert "refused" in master.problem
    assert cidrs is None
