"""Certificates that expire, get other addresses or are rotated, with a fake clock; and interrupted rotations."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from master.api.errors import Unavailable
from master.config import MasterConfig
from master.dispatch import authority
from master.pki import RENEW_BEFORE, Pki, PkiError, RotationRefused
from master.store.memory import MemoryStore
from master.upkeep import PERIOD_S, Upkeep
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "master.toml"
    path.write_text(_toml(tmp_path, "192.0.2.1"))
    return path


@pytest.fixture
def pki(tmp_path: Path, path: Path, clock: FakeClock) -> Pki:
    return Pki.prepare(MasterConfig(tmp_path / "data", advertise_addresses=("192.0.2.1",)), now=clock.now)


def _toml(directory: Path, address: str) -> str:
    return f'data_dir = "{directory}/data"\nadvertise_addresses = ["{address}"]\n'


class Moves:
    """Records the addresses that Upkeep passes to `moved`."""

    def __init__(self) -> None:
        self.received: list[tuple[str, ...]] = []

    async def __call__(self, config: MasterConfig) -> None:
        self.received.append(config.advertise_addresses)


class _Running:
    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def __aenter__(self) -> None:
        import asyncio

        self._task = asyncio.create_task(self._upkeep.run())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


async def test_the_running_master_renews_its_certificates_and_the_kubeconfig_before_they_expire(
    pki: Pki, path: Path, clock: FakeClock
) -> None:
    before = serial(pki.server.certificate), serial(pki.admin.certificate), pki.kubeconfig.read_text()
    generation = pki.generation
    async with _Running(Upkeep(pki, clock, path, Moves())):
        clock._monotonic += (timedelta(days=365) - RENEW_BEFORE).total_seconds() - 2 * PERIOD_S
        await clock.advance(PERIOD_S)
        assert before == (serial(pki.server.certificate), serial(pki.admin.certificate), pki.kubeconfig.read_text())
        await clock.advance(3 * PERIOD_S)
    after = serial(pki.server.certificate), serial(pki.admin.certificate), pki.kubeconfig.read_text()
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert pki.generation > generation, "servers would not notice the new certificate"
    certificate = x509.load_pem_x509_certificate(pki.server.certificate.read_bytes())
    assert certificate.not_valid_after_utc - clock.now() > timedelta(days=364)


async def test_new_addresses_in_the_configuration_need_no_restart(
    pki: Pki, path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    moves = Moves()
    async with _Running(Upkeep(pki, clock, path, moves)):
        await clock.advance(PERIOD_S)
        assert not moves.received
        path.write_text(_toml(path.parent, "198.51.100.7"))
        await clock.advance(PERIOD_S)
        assert moves.received == [("198.51.100.7",)]
        kubeconfig = yaml.safe_load(pki.kubeconfig.read_text())
        assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://198.51.100.7:6443"
        path.write_text("nonsense =")
        await clock.advance(5 * PERIOD_S)
        path.write_text(_toml(path.parent, "198.51.100.8"))
        await clock.advance(PERIOD_S)
    assert moves.received[-1] == ("198.51.100.8",)
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1, "logged once"


async def test_other_addresses_are_passed_on_when_the_store_can_write_again(
    pki: Pki, path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(Moves):
        full = True

        async def __call__(self, config: MasterConfig) -> None:
            if self.full:
                raise Unavailable("the store cannot write now: the disk is full")
            await super().__call__(config)

    moves = Full()
    async with _Running(Upkeep(pki, clock, path, moves)):
        path.write_text(_toml(path.parent, "198.51.100.7"))
        await clock.advance(3 * PERIOD_S)
        assert not moves.received
        assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1, "logged once"
        moves.full = False
        await clock.advance(3 * PERIOD_S)
    assert moves.received == [("198.51.100.7",)]


async def test_certificates_are_renewed_even_if_the_configuration_is_unreadable(
    pki: Pki, path: Path, clock: FakeClock
) -> None:
    before = serial(pki.server.certificate)
    path.write_text("nonsense =")
    async with _Running(Upkeep(pki, clock, path, Moves())):
        clock._monotonic += (timedelta(days=365) - RENEW_BEFORE).total_seconds()
        await clock.advance(3 * PERIOD_S)
    assert serial(pki.server.certificate) != before


def test_a_rotation_continues_after_a_restart(pki: Pki, clock: FakeClock) -> None:
    old = pki.trusted
    pki.begin_rotation()
    again = Pki.prepare(pki.config, now=clock.now)
    assert again.rotating and again.trusted == pki.trusted and again.trusted[0] == old[0]
    assert again.signer.issued(x509.load_pem_x509_certificate(pki.admin.certificate.read_bytes()))
    with pytest.raises(RotationRefused, match="already"):
        again.begin_rotation()
    again.finish_rotation()
    with pytest.raises(RotationRefused, match="no rotation"):
        again.finish_rotation()
    last = Pki.prepare(pki.config, now=clock.now)
    assert not last.rotating and last.trusted == again.trusted and len(last.trusted) == 1


def test_an_interrupted_last_step_is_completed_at_the_next_start(pki: Pki, clock: FakeClock) -> None:
    pki.begin_rotation()
    new = pki.signer.fingerprint
    pki.next_authority.key.replace(pki.authority.key)  # the state after a power cut between the two renames
    again = Pki.prepare(pki.config, now=clock.now)
    assert again.trusted == [new]
    assert again.authority.key.exists() and not again.next_authority.certificate.exists()


def test_a_new_ca_without_its_key_is_named_and_does_not_replace_the_old_one(pki: Pki, clock: FakeClock) -> None:
    pki.begin_rotation()
    kept = pki.authority.certificate.read_bytes()
    pki.next_authority.key.unlink()
    with pytest.raises(PkiError, match=r"ca-next\.key"):
        Pki.prepare(pki.config, now=clock.now)
    assert pki.authority.certificate.read_bytes() == kept


async def test_the_store_accepts_the_old_and_the_new_ca_during_a_rotation(pki: Pki, tmp_path: Path) -> None:
    store = MemoryStore()
    await authority.check(store, pki)
    first = pki.ca_hash
    pki.begin_rotation()
    await authority.record(store, pki)
    recorded = await store.get(authority.KEY)
    assert recorded is not None and recorded.value.decode().split() == pki.ca_hashes and len(pki.ca_hashes) == 2
    pki.finish_rotation()
    await authority.check(store, pki)  # as if the master had been killed after writing the files, before the store
    recorded = await store.get(authority.KEY)
    assert recorded is not None and recorded.value.decode() == pki.ca_hash != first
    with pytest.raises(authority.OtherAuthority, match="belongs to another cluster"):
        await authority.check(store, Pki.prepare(MasterConfig(tmp_path / "other")))
