"""Installing from a fresh checkout and from a wheel. Third-party packages come from a package index."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.network import subnets
from tests.machine import index
from tests.machine.bed import Machine, MachineBed
from tests.machine.conftest import BUNDLE, IN_MEMORY, MakeMachines
from tests.machine.hosts import is_active, snapshot

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def reach(bed: MachineBed, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Environment variables that make pip on a machine use an index of this test."""
    with index.served(index.make(tmp_path / "index"), str(subnets.root_address(bed.subnet))) as environment:
        yield environment


@pytest.fixture
def host(machines: MakeMachines, tmp_path: Path) -> Machine:
    """A machine with a fresh checkout in /src."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True)
    tar = subprocess.run(
        ["tar", "-C", str(ROOT), "--null", "-T", "-", "-c"], check=True, capture_output=True, input=listed.stdout
    )
    subprocess.run(["tar", "-C", str(checkout), "-x"], check=True, input=tar.stdout)
    return machines(1, *IN_MEMORY, f"--volume={checkout}:/src")[0]


@pytest.mark.long
def test_from_a_checkout_and_from_a_wheel(host: Machine, reach: Mapping[str, str]) -> None:
    before = snapshot(host)
    host.run("/src/sampan", "install", "master", environment=reach, timeout_s=200)
    assert is_active(host, "master")
    wheel = host.shell(f"echo {BUNDLE}/sampan-*.whl").stdout.strip()
    host.run("/src/sampan", "install", "agent", "--from", wheel, environment=reach, timeout_s=100)
    assert host.run("systemctl", "is-enabled", "sampan-agent", check=False).stdout.strip() == "disabled"
    # The installed command does not need the checkout.
    host.run("mv", "/src/sampan", "/src/gone")
    host.run("sampan", "uninstall", "--purge")
    assert snapshot(host) == before


def test_an_index_that_does_not_answer_is_reported_and_nothing_is_left(host: Machine, reach: Mapping[str, str]) -> None:
    before = snapshot(host)
    host.run("/src/sampan", "--version", environment=reach, timeout_s=100)
    nowhere = {**reach, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    done = host.run("/src/sampan", "install", "master", environment=nowhere, timeout_s=100, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("sampan: ") and done.stderr.count("\n") == 1
    assert snapshot(host) == before
