"""Which services an upgrade restarts and watches, and whose failure causes a rollback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host import release
from host.errors import HostError
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from host.source import Source
from tests.fakes.host import Fake, Killed, install, source_of

MASTER, AGENT = "sampan-master.service", "sampan-agent.service"
NO_NODE = "this machine is not a node yet"


@pytest.fixture
def fake(layout: HostLayout, tmp_path: Path) -> Fake:
    """A host that is master and node."""
    made, old = Fake(layout), source_of(tmp_path)
    install(made, old)
    install(made, old, "agent")
    made.active.add(AGENT)
    made.restarts.clear()
    return made


@pytest.fixture
def new(tmp_path: Path) -> Source:
    return source_of(tmp_path, "2.0.0")


def runs(layout: HostLayout) -> tuple[str, str, str]:
    """The target of `current`, and the record's release and unfinished target."""
    record = Record.load(layout)
    assert record is not None
    return release.current(layout), record.release, record.target


def fails(fake: Fake, unit: str, *releases: str) -> None:
    """Have restarts of the unit fail while one of these releases is the current one."""

    def trouble(argv: tuple[str, ...]) -> None:
        if "restart" in argv and argv[-1] == unit and release.current(fake.layout) in releases:
            raise HostError(f"{release.current(fake.layout)} failed")

    fake.trouble = trouble


def upgrade_killed(fake: Fake, new: Source) -> None:
    """An upgrade that is killed at the first restart."""

    def kill(argv: tuple[str, ...]) -> None:
        if "restart" in argv:
            raise Killed

    fake.trouble = kill
    with pytest.raises(Killed):
        Upgrader(fake.layout, fake).upgrade(new)
    fake.trouble = lambda argv: None


# --- a service that failed already ------------------------------------------------------------------------------------


def test_an_agent_that_failed_before_is_restarted_and_does_not_prevent_an_upgrade(
    fake: Fake, layout: HostLayout, new: Source
) -> None:
    """Its node was deleted; the host is a master, too."""
    fake.active.discard(AGENT)
    fake.failing[AGENT] = NO_NODE
    remarks: list[str] = []
    upgrader = Upgrader(layout, fake, say=remarks.append)
    upgrader.upgrade(new)
    assert runs(layout) == ("2.0.0", "2.0.0", "") and fake.restarts == [MASTER, AGENT]
    assert [line for line in remarks if NO_NODE in line and line.endswith("it failed before this as well")]
    upgrader.roll_back()
    assert runs(layout) == ("1.0.0", "1.0.0", "")


def test_a_rollback_succeeds_when_the_agent_failed_before(fake: Fake, layout: HostLayout, new: Source) -> None:
    fake.active.discard(AGENT)
    fake.failing[AGENT] = NO_NODE
    fails(fake, MASTER, "2.0.0")
    with pytest.raises(HostError, match=r"the master does not start.*; release 1\.0\.0 runs again$"):
        Upgrader(layout, fake).upgrade(new)
    assert runs(layout) == ("1.0.0", "1.0.0", "")


def test_a_rollback_repairs_a_host_that_an_earlier_release_left_half_done(
    fake: Fake, layout: HostLayout, new: Source
) -> None:
    upgrade_killed(fake, new)
    values = json.loads(layout.record.read_text())
    layout.record.write_text(json.dumps({**values, "unfinished": {"target": "1.0.0"}}))
    fake.active.discard(AGENT)
    fake.failing[AGENT] = NO_NODE
    assert Upgrader(layout, fake).roll_back() == "1.0.0"
    assert runs(layout) == ("1.0.0", "1.0.0", "")


def test_a_rollback_completes_although_a_service_has_failed_since(
    fake: Fake, layout: HostLayout, new: Source, tmp_path: Path
) -> None:
    upgrade_killed(fake, new)
    fake.active.discard(MASTER)
    fake.failing[MASTER] = "no space left"
    with pytest.raises(
        HostError, match=r"^release 1\.0\.0 is installed again, but the master does not start: no space left"
    ):
        Upgrader(layout, fake).roll_back()
    assert runs(layout) == ("1.0.0", "1.0.0", "")
    assert AGENT in fake.restarts, "it ran the release that was tried"
    install(fake, source_of(tmp_path / "again"), "agent")


def test_a_service_that_failed_long_ago_and_is_up_again_causes_a_rollback(
    fake: Fake, layout: HostLayout, new: Source
) -> None:
    fake.died.append(AGENT)
    fails(fake, AGENT, "2.0.0")
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again$"):
        Upgrader(layout, fake).upgrade(new)
    assert runs(layout) == ("1.0.0", "1.0.0", "")


# --- an upgrade that is run again -------------------------------------------------------------------------------------


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "an earlier release's note"])
@pytest.mark.parametrize("way", ["down", "between"])
def test_a_service_that_is_being_restarted_is_restarted_and_watched(
    fake: Fake, layout: HostLayout, new: Source, way: str, noted: bool
) -> None:
    upgrade_killed(fake, new)
    if not noted:
        values = json.loads(layout.record.read_text())
        layout.record.write_text(json.dumps({**values, "unfinished": {"target": "2.0.0"}}))
    fake.active.discard(MASTER)
    fake.jobs[MASTER] = "restart" if way == "down" else "start"
    if way == "down":
        fake.stopping.add(MASTER)
    Upgrader(layout, fake).upgrade(new)
    assert runs(layout) == ("2.0.0", "2.0.0", "") and fake.restarts == [MASTER, AGENT]


def test_a_service_that_is_stopped_meanwhile_stays_stopped(fake: Fake, layout: HostLayout, new: Source) -> None:
    upgrade_killed(fake, new)
    fake.active.discard(MASTER)
    fake.stopping.add(MASTER)
    fake.jobs[MASTER] = "stop"
    Upgrader(layout, fake).upgrade(new)
    assert fake.restarts == [AGENT]


def test_a_failure_since_the_interrupted_command_causes_a_rollback(fake: Fake, layout: HostLayout, new: Source) -> None:
    upgrade_killed(fake, new)
    fake.active.discard(MASTER)
    fake.starting.add(MASTER)
    fake.died += [MASTER] * 3
    fails(fake, MASTER, "2.0.0")
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again$"):
        Upgrader(layout, fake).upgrade(new)
    assert runs(layout) == ("1.0.0", "1.0.0", "") and MASTER in fake.active
