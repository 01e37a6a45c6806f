"""Joining over the real REST port, and the identity on disk."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import pytest_asyncio

from agent import host
from agent.config import AgentConfig
from agent.identity import apart, files, keys
from agent.identity.errors import JoinRefused, MasterAway, StateLocked, Unreadable
from agent.identity.join import Ticket, join, read_ticket
from master import cluster_api, kinds
from master.api.server import ApiServer
from master.cache import Cache
from master.config import MasterConfig
from master.dispatch.token import make_valid
from master.kinds.core.namespace import Namespace
from master.objects.meta import ObjectMeta
from master.pki import Pki
from master.store.memory import MemoryStore
from tests.fakes.sessions import CALLER, TOKEN, MasterEnd

pytestmark = pytest.mark.timeout(30)

ROOT = Path(__file__).parents[4]


@pytest_asyncio.fixture
async def api(pki: Pki, tmp_path: Path) -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    end = MasterEnd(pki, store, await Cache.load(store, kinds.ALL))
    await end.resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="kube-system")))
    await make_valid(end.resources, TOKEN)
    config = MasterConfig(data_dir=tmp_path, listen_address="127.0.0.1", api_port=0, advertise_addresses=("127.0.0.1",))
    server = cluster_api.server(config, end.resources, pki, end.logs, end.join, clock=end.clock)
    task = asyncio.create_task(server.run())
    await server.ready.wait()
    yield server
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def agent_config(tmp_path: Path, port: int) -> AgentConfig:
    state_dir = tmp_path / "agent"
    state_dir.mkdir(exist_ok=True)
    return AgentConfig(state_dir=state_dir, node_name="node-1", master=f"https://127.0.0.1:{port}")


async def test_a_machine_joins_and_keeps_its_identity(api: ApiServer, pki: Pki, tmp_path: Path) -> None:
    config = agent_config(tmp_path, api.port)
    identity = await asyncio.to_thread(join, config, Ticket(TOKEN, pki.ca_hash), wait=False)
    assert identity == files.load(config.state_dir)
    assert identity.ca == pki.ca_pem.decode()
    assert identity.not_after > identity.not_before
    path = config.state_dir / files.IDENTITY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (config.state_dir / files.PENDING_KEY).exists()
    assert identity.key not in repr(identity)


async def test_a_join_whose_answer_was_lost_is_repeated(api: ApiServer, pki: Pki, tmp_path: Path) -> None:
    config = agent_config(tmp_path, api.port)
    key = files.pending_key(config.state_dir, keys.make_key)
    await asyncio.to_thread(join, config, Ticket(TOKEN, pki.ca_hash), wait=False)
    (config.state_dir / files.IDENTITY).unlink()
    (config.state_dir / files.PENDING_KEY).write_text(key)
    assert await asyncio.to_thread(join, config, Ticket(TOKEN, pki.ca_hash), wait=False)


async def test_an_expired_node_joins_again_by_its_key(
    api: ApiServer, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = agent_config(tmp_path, api.port)
    first = await asyncio.to_thread(join, config, Ticket(TOKEN, pki.ca_hash), wait=False)
    monkeypatch.setattr("agent.host.load_config", lambda _: config)
    with pytest.raises(JoinRefused, match="already node node-1 of cluster"):
        await asyncio.to_thread(host.join, tmp_path, TOKEN, pki.ca_hash)
    files.save(config.state_dir, replace(first, not_before=1.0, not_after=2.0))
    assert await asyncio.to_thread(host.join, tmp_path, TOKEN, pki.ca_hash) == 0
    again = files.load(config.state_dir)
    assert again is not None and again.key == first.key and again.certificate != first.certificate
    assert again.not_after == pytest.approx(first.not_after, abs=60)


async def test_a_ca_is_accepted_by_its_hash_even_while_two_are_offered(
    api: ApiServer, pki: Pki, tmp_path: Path
) -> None:
    old, old_hash = pki.ca_pem.decode(), pki.ca_hash
    pki.begin_rotation()
    try:
        assert old in pki.ca_pem.decode() != old
        identity = await asyncio.to_thread(join, agent_config(tmp_path, api.port), Ticket(TOKEN, old_hash), wait=False)
        assert identity.ca == old, "the other one comes only with the session"
    finally:
        pki.finish_rotation()
    with pytest.raises(JoinRefused, match="older than the CA"):
        await asyncio.to_thread(join, agent_config(tmp_path, api.port), Ticket(TOKEN, old_hash), wait=False)


@pytest.mark.parametrize(
    ("token", "ca_hash", "message"),
    [
        pytest.param("abcdef.fedcba9876543210", "", "not valid", id="wrong token"),
        pytest.param("nonsense", "", "form abcdef", id="no token"),
        pytest.param(TOKEN, "sha256:" + "0" * 64, "another cluster", id="another CA"),
        pytest.param(TOKEN, "md5:1", "form sha256", id="no hash"),
    ],
)
async def test_the_error_names_the_problem(
    api: ApiServer, pki: Pki, tmp_path: Path, token: str, ca_hash: str, message: str
) -> None:
    config = agent_config(tmp_path, api.port)
    with pytest.raises(JoinRefused, match=message):
        await asyncio.to_thread(join, config, Ticket(token, ca_hash or pki.ca_hash), wait=False)
    assert files.load(config.state_dir) is None


async def test_a_missing_master_raises_master_away(pki: Pki, tmp_path: Path, unused_tcp_port: int) -> None:
    config = agent_config(tmp_path, unused_tcp_port)
    with pytest.raises(MasterAway, match=r"127\.0\.0\.1"):
        join(config, Ticket(TOKEN, pki.ca_hash), wait=False)


def test_a_ticket_has_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "ticket"
    path.write_text(f"{TOKEN}\nsha256:{64 * '0'}\n")
    ticket = read_ticket(path)
    assert (ticket.token, ticket.ca_hash) == (TOKEN, "sha256:" + 64 * "0")
    assert "0123456789abcdef" not in repr(ticket)
    path.write_text(TOKEN)
    with pytest.raises(JoinRefused, match="two lines"):
        read_ticket(path)


def test_a_state_directory_is_locked_by_one_agent(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with files.locked(state), pytest.raises(StateLocked, match="another agent"), files.locked(state):
        pass
    with files.locked(state):
        pass


def some_identity(pki: Pki) -> files.Identity:
    pem = pki.ca_pem.decode()
    return files.Identity("n", "c", "h:1", pem, pem, keys.make_key(), 0, 1)


def test_an_identity_is_replaced_atomically(pki: Pki, tmp_path: Path) -> None:
    identity = some_identity(pki)
    files.save(tmp_path, identity)
    partial = tmp_path / f".{files.IDENTITY}.new"
    partial.write_text("{ torn")  # left by a crash during the next save
    assert files.load(tmp_path) == identity
    files.save(tmp_path, replace(identity, node_name="new"))
    assert files.load(tmp_path) == replace(identity, node_name="new")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param({"certificate": "nonsense"}, "certificate is not a PEM", id="certificate"),
        pytest.param({"ca": None}, "ca is not a PEM", id="CA"),
        pytest.param({"key": ""}, "key is not a PEM", id="key"),
        pytest.param({"node_name": 3}, "node_name is not", id="name"),
        pytest.param({"not_after": "tomorrow"}, "not supported", id="time"),
        pytest.param({"more": 1}, "unexpected", id="unknown field"),
    ],
)
def test_a_damaged_identity_names_the_file_and_the_remedy(
    pki: Pki, tmp_path: Path, harm: dict[str, object], message: str
) -> None:
    (tmp_path / files.IDENTITY).write_text(json.dumps(asdict(some_identity(pki)) | harm))
    with pytest.raises(Unreadable, match=message) as caught:
        files.load(tmp_path)
    assert str(tmp_path / files.IDENTITY) in str(caught.value)
    assert "join again" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"null", b"\xff\xfe", b'{"node_name": "n"'])
def test_a_file_that_is_not_an_identity_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / files.IDENTITY).write_bytes(content)
    with pytest.raises(Unreadable, match=r"identity\.json.*join again"):
        files.load(tmp_path)


async def test_a_damaged_key_of_an_unfinished_join_is_replaced(api: ApiServer, pki: Pki, tmp_path: Path) -> None:
    config = agent_config(tmp_path, api.port)
    (config.state_dir / files.PENDING_KEY).write_text("-----BEGIN PRIVATE KEY-----\nrubbish\n")
    assert await asyncio.to_thread(join, config, Ticket(TOKEN, pki.ca_hash), wait=False)


def test_keys_are_made_in_a_child_process_without_loading_the_library_here(pki: Pki) -> None:
    key, request = apart.make_request("node-1")
    assert "PRIVATE KEY" in key
    assert "CERTIFICATE REQUEST" in request
    life = apart.life_of(pki.ca_pem.decode())
    assert life == keys.life_of(pki.ca_pem.decode())
    with pytest.raises(Unreadable):
        apart.life_of("nonsense")
    program = "import sys, agent.main, agent.assembly; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


async def test_a_join_in_a_child_process_stores_the_identity_and_forwards_its_log(
    api: ApiServer, pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = agent_config(tmp_path, api.port)
    config_path, ticket = tmp_path / "agent.toml", tmp_path / "ticket"
    config_path.write_text(
        f'state_dir = "{config.state_dir}"\nnode_name = "node-1"\nmaster = "{config.master}"\nlog_level = "error"\n'
    )
    ticket.write_text(f"{TOKEN}\nsha256:{'0' * 64}\n")
    with apart.Join(config_path, ticket) as joining, pytest.raises(JoinRefused, match="another cluster"):
        await asyncio.to_thread(joining.wait)
    ticket.write_text(f"{TOKEN}\n{pki.ca_hash}\n")
    with apart.Join(config_path, ticket) as joining, caplog.at_level("INFO"):
        await asyncio.to_thread(joining.wait)
    assert "node node-1: joined cluster" in caplog.text
    identity = files.load(config.state_dir)
    assert identity is not None
    assert identity.ca == pki.ca_pem.decode()


def test_a_cancelled_join_leaves_no_process(tmp_path: Path, unused_tcp_port: int) -> None:
    config_path, ticket = tmp_path / "agent.toml", tmp_path / "ticket"
    config_path.write_text(
        f'state_dir = "{tmp_path}"\nnode_name = "node-1"\nmaster = "https://127.0.0.1:{unused_tcp_port}"\n'
    )
    ticket.write_text(f"{TOKEN}\nsha256:{'0' * 64}\n")
    with apart.Join(config_path, ticket) as joining:
        process = joining._process
        assert process.poll() is None
    assert process.returncode == -signal.SIGKILL
