"""Certificates and CAs change during sessions: renewed in time, on the master's request, rotated. No node is lost."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agent.identity import files, keys
from agent.session.channel import Master
from agent.session.errors import Lost, Refused, Stale
from agent.session.renewal import LEFT, LEFT_JITTER, Renewal
from agent.wire.errors import Garbled
from master.dispatch.identities import RESTORED_KEY
from master.pki import Pki, RotationRefused
from master.store.interface import Put
from proto import contract
from proto.gen import session_pb2
from tests.fakes.clock import START, FakeClock
from tests.fakes.sessions import AgentEnd, MasterEnd, master_end, prepare_pki, until
from tests.service.master.dispatch.test_older_agents import connection, hello

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return prepare_pki(tmp_path / "master")


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


class WallClock(FakeClock):
    """The agent's clock; its wall clock follows the test's."""

    def wall(self) -> float:
        return self.now().timestamp()


class Signer:
    """A master that only renews certificates; it can be made unreachable."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[float] = []
        self.clock: WallClock

    async def renew(self, request: session_pb2.RenewRequest, timeout_s: float) -> session_pb2.RenewReply:
        self.asked.append(self.clock.wall())
        if self.away:
            raise Lost("unavailable: nobody there")
        return session_pb2.RenewReply(certificate="new certificate")


@pytest.fixture
def signer(monkeypatch: pytest.MonkeyPatch) -> Signer:
    monkeypatch.setattr("agent.identity.apart.make_request", lambda name: ("new key", "csr"))
    monkeypatch.setattr("agent.identity.apart.certified", lambda *_, **__: keys.Life(0, 1))
    monkeypatch.setattr("asyncio.to_thread", _at_once)
    return Signer()


async def _at_once(work: Any, *arguments: Any, **named: Any) -> Any:
    return work(*arguments, **named)


def renewal(signer: Signer, state_dir: Path, *, uniform: Any = lambda low, high: (low + high) / 2) -> Renewal:
    """A Renewal of a certificate that is valid for 90 days from now."""
    signer.clock = WallClock()
    begin = START.timestamp()
    identity = files.Identity("n", "c", "h:1", "ca", "old", "key", begin, begin + timedelta(days=90).total_seconds())
    return Renewal(identity, state_dir, signer.clock, uniform=uniform)


async def _run(renewal: Renewal, signer: Any) -> None:
    with pytest.raises(Stale, match="renewed"):
        await renewal.run(signer)


async def test_a_certificate_is_renewed_after_two_thirds_of_its_validity(signer: Signer, tmp_path: Path) -> None:
    subject = renewal(signer, tmp_path)
    running = asyncio.create_task(_run(subject, signer))
    await signer.clock.advance(timedelta(days=59.9).total_seconds())
    assert not signer.asked
    await signer.clock.advance(timedelta(days=0.2).total_seconds())
    await running
    assert len(signer.asked) == 1
    kept = json.loads((tmp_path / files.IDENTITY).read_text())
    assert (kept["certificate"], kept["key"]) == ("new certificate", "new key")


@pytest.mark.parametrize("side", [0, 1], ids=["early", "late"])
def test_nodes_that_joined_at_the_same_time_renew_at_different_times(signer: Signer, tmp_path: Path, side: int) -> None:
    subject = renewal(signer, tmp_path, uniform=lambda low, high: (low, high)[side])
    left = LEFT + (-LEFT_JITTER, LEFT_JITTER)[side]
    assert subject.due_s == pytest.approx(timedelta(days=90 * (1 - left)).total_seconds())


async def test_renewal_is_retried_until_the_certificate_expires(signer: Signer, tmp_path: Path) -> None:
    subject = renewal(signer, tmp_path)
    signer.away = True
    running = asyncio.create_task(_run(subject, signer))
    await signer.clock.advance(timedelta(days=89).total_seconds())
    waits = [after - before for before, after in zip(signer.asked, signer.asked[1:], strict=False)]
    assert waits[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600], "later once an hour"
    assert set(waits[7:]) == {3600}
    assert subject.expired == ""
    signer.away = False
    await signer.clock.advance(3600)
    await running
    assert subject.identity.certificate == "new certificate"


async def test_after_expiry_the_log_names_the_remedy(
    master: MasterEnd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = await master.identity("node-1")
    past = datetime(2020, 2, 1, tzinfo=UTC).timestamp()
    agent = AgentEnd(replace(identity, session_address="127.0.0.1:1", not_before=past - 1, not_after=past), tmp_path)
    with caplog.at_level(logging.WARNING):
        async with agent.running():
            await until(lambda: "expired on 2020-02-01 00:00 UTC" in caplog.text)
    assert "`sampan token create`" in caplog.text and "keeps its name and its pods" in caplog.text
    assert not agent.machine.left, "pods keep running"


async def test_an_expired_node_joins_again_by_its_key_and_keeps_its_name(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("node-1")
    async with Master(identity) as connected:
        await connected.hello(session_pb2.HelloRequest.FromString(hello()), 5)
    token = "abcdef.0123456789abcdef"
    answer = await master.join.join(token, "node-1", keys.make_request(identity.key, "node-1"))
    assert answer.certificate != identity.certificate
    known = await master.identities.get("node-1")
    assert known is not None and known.pod_cidr == "10.244.0.0/24"
    async with Master(replace(identity, certificate=answer.certificate)) as connected:
        assert (await connected.hello(session_pb2.HelloRequest.FromString(hello()), 5)).session_id


async def test_a_node_renews_when_the_master_asks_for_it(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("node-1")
    agent = AgentEnd(identity, tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        assert await master.trust.renew("node-1")
        await until(lambda: agent.renewal.identity.certificate != identity.certificate)
        await until(lambda: (session := master.sessions.current("node-1")) and session.applied_revision)
    known = await master.identities.get("node-1")
    assert known is not None and not known.renew
    assert known.fingerprint == contract.fingerprints(agent.renewal.identity.certificate)[0]
    assert not await master.trust.renew("nobody")


async def test_the_ca_is_rotated_without_losing_a_node(master: MasterEnd, pki: Pki, tmp_path: Path) -> None:
    agents = [
        AgentEnd(await master.identity(f"node-{n}"), _made(tmp_path / f"{n}"), machine=f"m{n}", address=f"10.0.0.{n}")
        for n in (1, 2)
    ]
    old, old_hash, first = pki.trusted[0], pki.ca_hash, [agent.renewal.identity for agent in agents]
    async with AsyncExitStack() as stack:
        for agent in agents:
            await stack.enter_async_context(agent.running())
        await until(lambda: all(master.ready(f"node-{n}") == "True" for n in (1, 2)))
        await master.trust.begin()
        assert pki.ca_hash == old_hash, "new nodes still get certificates of the old CA"
        new = pki.signer.fingerprint
        assert new != old
        await _until_none_waits(master)
        await master.trust.finish()
        assert pki.trusted == [new] and pki.ca_hash != old_hash
        await until(lambda: all(contract.fingerprints(agent.renewal.identity.ca) == [new] for agent in agents))
        await until(lambda: all(_heard(master, f"node-{n}") for n in (1, 2)))
        for agent in agents:
            kept = files.load(agent.renewal._state_dir)
            assert kept == agent.renewal.identity
            assert not agent.machine.left
    # With only the old CA, or a certificate of it, the handshake fails.
    for stolen in (first[0], replace(first[0], ca=pki.ca_pem.decode())):
        with pytest.raises(Lost, match=r"(?i)handshake|certificate|failed to connect|closed"):
            async with Master(stolen) as connected:
                await connected.hello(session_pb2.HelloRequest.FromString(hello("10.0.0.9")), 5)


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _heard(master: MasterEnd, node: str) -> bool:
    session = master.sessions.current(node)
    return session is not None and session.applied_revision > 0


async def _until_none_waits(master: MasterEnd) -> None:
    while await master.trust.waiting():  # noqa: ASYNC110 - the store sends no notification
        await asyncio.sleep(0.01)


async def test_the_old_ca_stays_while_a_node_needs_it(master: MasterEnd, pki: Pki, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    away = await master.identity("node-2")
    async with connection(await master.identity("node-3")) as channel:
        await channel.unary_unary("/sampan.Master/Hello")(hello("10.0.0.3"), timeout=5)
    async with Master(away) as connected:
        request = session_pb2.HelloRequest.FromString(hello("10.0.0.2"))
        request.highest_protocol_version, request.trusted[:] = 2, pki.trusted
        await connected.hello(request, 5)
    await master.identity("node-4")
    with pytest.raises(RotationRefused, match="no rotation"):
        await master.trust.finish()
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        await master.trust.begin()
        with pytest.raises(RotationRefused, match="already"):
            await master.trust.begin()
        while "node-1" in (waiting := await master.trust.waiting()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert "does not trust the new CA yet (it is not connected" in waiting["node-2"]
    assert "speaks version 1 of the protocol" in waiting["node-3"]
    assert "never connected" in waiting["node-4"]
    with pytest.raises(RotationRefused, match=r"node node-2 .*node node-3 .*node node-4"):
        await master.trust.finish()
    assert len(pki.trusted) == 2
    await master.identities.free(await _known(master, "node-2"))
    assert "node-2" not in await master.trust.waiting(), "a deleted node does not delay the rotation"


async def _known(master: MasterEnd, name: str) -> Any:
    return await master.identities.get(name)


@pytest.mark.parametrize(
    "ca",
    ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "many"],
    ids=["no", "bad", "many"],
)
async def test_invalid_cas_change_nothing(pki: Pki, master: MasterEnd, tmp_path: Path, ca: str) -> None:
    identity = await master.identity("node-1")
    ca = identity.ca * 17 if ca == "many" else ca
    subject = Renewal(identity, tmp_path, WallClock())
    with pytest.raises(Garbled):
        await subject.trust(ca)
    assert subject.identity is identity and not (tmp_path / files.IDENTITY).exists()


async def test_cas_that_cannot_be_stored_end_no_session(
    pki: Pki, master: MasterEnd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path / "no such directory")
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        await master.trust.begin()
        await until(lambda: "the cluster's CAs have changed, but cannot be stored" in caplog.text)
        await until(lambda: _heard(master, "node-1"))
    assert "node-1" in await master.trust.waiting()


async def test_a_certificate_newer_than_a_restored_backup_is_accepted(master: MasterEnd) -> None:
    old = await master.identity("node-1")
    backed_up = await _known(master, "node-1")
    request = session_pb2.RenewRequest(csr=keys.make_request(old.key, "node-1"))
    hi = session_pb2.HelloRequest.FromString(hello())
    async with Master(old) as connected:
        await connected.hello(hi, 5)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        renewed = replace(old, certificate=(await connected.renew(request, 5)).certificate)
    known = await _known(master, "node-1")
    assert await master.identities.replace(known, replace(backed_up, fingerprint="0" * 64))
    async with Master(renewed) as connected:
        with pytest.raises(Refused, match="another certificate"):
            await connected.hello(hi, 5)
        # The store would know a certificate newer than the restore, or older than the backup: it has been replaced.
        for span in (("2020-01-01", "2020-01-02"), ("2090-01-01", "2090-01-02")):
            await master.store.commit([], [_restored(*(f"{day}T00:00:00+00:00" for day in span))])
            with pytest.raises(Refused, match="another certificate"):
                await connected.hello(hi, 5)
        later = (datetime.now(UTC) + timedelta(seconds=5)).isoformat(timespec="seconds")
        await master.store.commit([], [_restored(made_at, later)])
        assert (await connected.hello(hi, 5)).session_id
    assert (await _known(master, "node-1")).fingerprint == contract.fingerprints(renewed.certificate)[0]


def _restored(made_at: str, restored_at: str) -> Put:
    """The record that a restore writes."""
    return Put(RESTORED_KEY, json.dumps({"madeAt": made_at, "restoredAt": restored_at}).encode())
