"""Every file that an agent reads, damaged in every way; the tables contain the outcomes.

Damaged identity and configuration files are refused: exit code 1 and one line on stderr with the file and the remedy.
State that the master or the kernel has too is fetched or made again, and never used if it is not what was written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from agent import host, model
from agent import main as agent_main
from agent.config import AgentConfig
from agent.desired import disk
from agent.identity import files, keys
from agent.identity import join as joining
from agent.identity.errors import JoinRefused, Unreadable
from agent.identity.files import Identity
from agent.volumes.manager import Volumes
from cli.main import main
from master.pki import Pki
from netstack.errors import PoolExhausted
from netstack.ipam import AddressPool
from netstack.pods import PodLink
from netstack.records import PodRecords
from proto.gen import desired_pb2, session_pb2
from tests.fakes.damage import BITS, CUTS, DAMAGES, GARBLED, UNREADABLE, nothing_elsewhere
from tests.fakes.sessions import TOKEN, prepare_pki
from tests.unit.agent.fakes import FakeBinds, FakeMemoryFiles

HASH = "sha256:" + "a" * 64
ALL = tuple(DAMAGES)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest.fixture(scope="module")
def good(pki: Pki) -> Identity:
    key = keys.make_key()
    certificate = pki.sign_node(keys.make_request(key, "node-1"), "node-1")
    life = keys.life_of(certificate)
    return Identity(
        "node-1", "cluster-1", "127.0.0.1:1", pki.ca_pem.decode(), certificate, key, life.not_before, life.not_after
    )


# -- the process: configuration, lock, identity, ticket ---------------------------------------------------------------


@pytest.fixture
def agent(tmp_path: Path, good: Identity) -> Path:
    """The directory of an agent that has joined."""
    state = tmp_path / "state"
    with files.locked(state):
        files.save(state, good)
    (tmp_path / "agent.toml").write_text(
        f'state_dir = "{state}"\nnode_name = "node-1"\nmaster = "https://127.0.0.1:1"\naudit_s = 3.0\n'
    )
    (tmp_path / "ticket").write_text(f"{TOKEN}\n{HASH}\n")
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Identity]:
    """The identities that the agent was started with; serving is replaced by a fake."""
    identities: list[Identity] = []

    async def serve(config: AgentConfig, identity: Identity, *_: object) -> int:
        identities.append(identity)
        return 0

    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    monkeypatch.setattr("hull.logs.configure", lambda *_: None)
    monkeypatch.setattr("cli.main._configure_logging", lambda **_: None)
    monkeypatch.setattr(agent_main, "_serve", serve)
    return identities


def start(directory: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    capsys.readouterr()
    with nothing_elsewhere(directory / "agent.toml"):
        code = main(["agent", "--config", str(directory / "agent.toml"), *more])
    return code, capsys.readouterr().err


EITHER = "refused, or works as before"
STARTS = "starts"


def _rows() -> Iterator[tuple[str, str, str]]:
    """File, damage, and the text on stderr beside the file's name, or EITHER or STARTS."""
    for damage in ALL:
        # A flipped bit in JSON's white space does not change the identity.
        outcome = "restore it, or delete the Node, remove the file and join again"
        outcome = "run `sampan join` first" if damage == "missing" else outcome
        yield "state/identity.json", damage, EITHER if damage in BITS else outcome
        yield "agent.toml", damage, EITHER if damage in (*BITS, *CUTS) else "agent.toml"
    for damage in ("missing", "noise", "dangling", *UNREADABLE):
        yield "state/lock", damage, STARTS if damage in ("missing", "noise") else "state directory"


@pytest.mark.parametrize(
    ("file", "damage", "outcome"), [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in _rows()]
)
def test_damaged_identity_files_are_refused(
    agent: Path,
    good: Identity,
    served: list[Identity],
    capsys: pytest.CaptureFixture[str],
    file: str,
    damage: str,
    outcome: str,
) -> None:
    DAMAGES[damage](agent / file)
    code, stderr = start(agent, capsys)
    if outcome == STARTS or (outcome == EITHER and code == 0):
        assert (code, stderr, served) == (0, "", [good])
        return
    assert (code, served) == (1, [])
    assert stderr.startswith("sampan: ") and stderr.count("\n") == 1, stderr
    if outcome != EITHER:
        name = "state" if outcome.startswith("run") else Path(file).name
        assert name in stderr and outcome in stderr, stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"node_name": "node-2"}, "holds the identity of node node-2", id="another node's"),
        pytest.param({"generation": 2}, "identity.json", id="a newer release's"),
    ],
)
def test_another_agents_identity_is_refused(
    agent: Path,
    good: Identity,
    served: list[Identity],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    message: str,
) -> None:
    (agent / "state" / "identity.json").write_text(json.dumps(asdict(good) | change))
    code, stderr = start(agent, capsys)
    assert (code, served) == (1, [])
    assert message in stderr


@pytest.mark.parametrize("name", ["node_name", "cluster_id", "session_address", "ca", "certificate", "key"])
def test_one_changed_character_of_an_identity_is_found(agent: Path, good: Identity, name: str) -> None:
    path = agent / "state" / "identity.json"
    document = json.loads(path.read_text())
    text = document[name]
    middle = len(text) // 2
    document[name] = text[:middle] + chr(ord(text[middle]) ^ 1) + text[middle + 1 :]
    path.write_text(json.dumps(document))
    with pytest.raises(Unreadable, match="the content is not what was written; restore it"):
        files.load(agent / "state")


def test_an_identity_of_the_first_release_is_accepted(agent: Path, good: Identity) -> None:
    (agent / "state" / "identity.json").write_text(json.dumps(asdict(good)))
    assert files.load(agent / "state") == good


@pytest.mark.parametrize("damage", [name for name in ALL if name not in BITS and name != "last byte lost"])
def test_a_damaged_ticket_is_refused_with_its_path(agent: Path, damage: str) -> None:
    """The last byte is a newline, which may be missing."""
    DAMAGES[damage](agent / "ticket")
    with pytest.raises(JoinRefused) as refused:
        joining.read_ticket(agent / "ticket")
    assert str(agent / "ticket") in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("damage", [name for name in ALL if name != "missing"])
def test_a_damaged_pending_key_is_replaced_or_refused_with_its_path(agent: Path, damage: str) -> None:
    config = AgentConfig(state_dir=agent / "state", node_name="node-1", master="https://127.0.0.1:1")
    path = agent / "state" / files.PENDING_KEY
    path.write_text(keys.make_key())
    DAMAGES[damage](path)
    if damage == "directory":
        with pytest.raises(Unreadable, match=r"pending\.key: .*; remove it"):
            joining._request(config)
        return
    key, request = joining._request(config)
    assert path.read_text() == key
    assert "CERTIFICATE REQUEST" in request


@pytest.mark.parametrize("damage", [name for name in ALL if name not in UNREADABLE])
def test_a_damaged_machine_id_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    read = host._read
    monkeypatch.setattr(
        host, "_read", lambda path: "" if path.name == "machine-id" and path.parent != tmp_path else read(path)
    )
    first = host.machine_id(tmp_path)
    assert host.machine_id(tmp_path) == first
    DAMAGES[damage](tmp_path / "machine-id")
    again = host.machine_id(tmp_path)
    assert len(again) == 32 and host.machine_id(tmp_path) == again


@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param({"name": "node-2"}, "expected 'system:node:node-1'", id="another node's"),
        pytest.param({"key": "new"}, "for another key", id="another key's"),
        pytest.param({"authority": "other"}, "not of the cluster's authority", id="another cluster's"),
        pytest.param({"text": "nonsense"}, "PEM", id="none"),
    ],
)
def test_a_wrong_certificate_is_never_stored(
    tmp_path: Path, pki: Pki, good: Identity, other: dict[str, str], message: str
) -> None:
    """In the answer to a join or a renewal: it would lock the node out."""
    signer = prepare_pki(tmp_path) if "authority" in other else pki
    name = other.get("name", "node-1")
    key = keys.make_key() if "key" in other else good.key
    certificate = other.get("text") or signer.sign_node(keys.make_request(key, name), name)
    with pytest.raises(ValueError, match=message):
        keys.certified(certificate, key_pem=good.key, authority_pem=good.ca, node_name="node-1")
    assert keys.certified(good.certificate, key_pem=good.key, authority_pem=good.ca, node_name="node-1")


# -- the desired state, which the master sends again ------------------------------------------------------------------


def _kept(directory: Path) -> session_pb2.Cut:
    pods = [desired_pb2.Pod(uid=f"uid-{number}", namespace="default", name=f"web-{number}") for number in range(50)]
    cut = session_pb2.Cut(snapshot=True, revision=7, last=True, pods=pods)
    disk.write(directory, "cluster-1", "node-1", cut)
    return cut


@pytest.mark.parametrize("damage", ALL)
def test_a_damaged_desired_state_is_fetched_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    cut, path = _kept(tmp_path), tmp_path / disk.NAME
    assert disk.read(tmp_path, "cluster-1", "node-1") == cut
    DAMAGES[damage](path)
    assert disk.read(tmp_path, "cluster-1", "node-1") is None
    assert (str(path) in caplog.text and "waiting for the master" in caplog.text) == (damage != "missing")
    if damage != "directory":
        assert _kept(tmp_path) == disk.read(tmp_path, "cluster-1", "node-1"), "the next one can be stored"
        return
    with pytest.raises(OSError, match=disk.NAME):
        _kept(tmp_path)


@pytest.mark.parametrize(("cluster", "node"), [("cluster-2", "node-1"), ("cluster-1", "node-2")])
def test_another_nodes_desired_state_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cluster: str, node: str
) -> None:
    _kept(tmp_path)
    assert disk.read(tmp_path, cluster, node) is None
    assert "of another cluster, node or version" in caplog.text


# -- addresses and links, which the kernel has too --------------------------------------------------------------------

NETWORK = IPv4Network("10.244.1.0/29")
LINK = PodLink("uid-1", IPv4Address("10.244.1.2"), "/proc/7/ns/net", (4, 99))


@pytest.mark.parametrize("damage", ALL)
def test_the_address_of_a_damaged_claim_is_not_given_to_another_pod(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    first, second = pool.claim("uid-1"), pool.claim("uid-2")
    DAMAGES[damage](tmp_path / "claims" / str(first))
    again = AddressPool(tmp_path, NETWORK)
    assert again.claims() == {"uid-2": second}
    if damage in ("missing", "empty"):
        return  # without an owner: the file's name reached the disk before its content
    assert "the claim is damaged; its address stays reserved" in caplog.text
    with pytest.raises(PoolExhausted):
        for number in range(10):
            assert again.claim(f"new-{number}") != first
    again.hold("uid-1", first)
    assert again.claim("uid-1") == first
    assert AddressPool(tmp_path, NETWORK).claims()["uid-1"] == first


@pytest.mark.parametrize("damage", ALL)
def test_a_damaged_number_of_a_freed_address_only_loses_its_turn(tmp_path: Path, damage: str) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    address = pool.claim("uid-1")
    pool.release("uid-1")
    DAMAGES[damage](tmp_path / "freed" / str(address))
    again = AddressPool(tmp_path, NETWORK)
    assert sorted(again.claim(f"new-{number}") for number in range(5)) == sorted(NETWORK.hosts())[1:]


@pytest.mark.parametrize("damage", ALL)
def test_a_damaged_link_record_is_dropped(tmp_path: Path, damage: str) -> None:
    """The link of a dropped record is adopted again when the pod is attached."""
    PodRecords(tmp_path).put(LINK)
    (path,) = tmp_path.iterdir()
    DAMAGES[damage](path)
    assert PodRecords(tmp_path).all() in ((), (LINK,))


# -- volumes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [name for name in ALL if name not in UNREADABLE])
async def test_a_damaged_file_of_a_volume_is_written_again(tmp_path: Path, damage: str) -> None:
    """A power cut can keep a file's name and lose its content; a container would read an empty file."""
    volume = model.Volume("config", model.FilesVolume((model.KeysSource("c", secret=False),), in_memory=False))
    pod = model.Pod(model.PodUid("uid-1"), "default", "web", containers=(), volumes=(volume,))
    content = {"app.conf": b"the configuration " * 20}
    ref = model.ObjectRef("default", "c")
    desired = model.Desired(pods={}, config_maps={ref: model.ConfigMap(ref, content)})
    volumes = Volumes(state_dir=tmp_path, host_path_root=tmp_path, memory=FakeMemoryFiles(), binds=FakeBinds())
    directory = (await volumes.prepare(pod, desired))["config"]
    DAMAGES[damage]((directory / "app.conf").resolve())
    directory = (await volumes.prepare(pod, desired))["config"]
    assert (directory / "app.conf").read_bytes() == content["app.conf"]


def test_every_kind_of_damage_changes_the_file(tmp_path: Path) -> None:
    """Tried on a file of 200 bytes."""
    for name, harm in DAMAGES.items():
        path = tmp_path / "file"
        if os.path.lexists(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.write_bytes(bytes(range(200)))
        harm(path)
        assert not path.is_file() or path.read_bytes() != bytes(range(200)), name
    assert {*BITS, *CUTS, *GARBLED, *UNREADABLE} <= set(DAMAGES)
