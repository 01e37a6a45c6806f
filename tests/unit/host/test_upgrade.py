"""Upgrading and going back on a host in a directory."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from host import release
from host.errors import HostError
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from tests.fakes.host import Fake, Killed, at_each_step, fresh, install, kill_at, source_of


def _record(layout: HostLayout) -> Record:
    record = Record.load(layout)
    assert record is not None
    return record


def test_killed_at_any_step_the_same_upgrade_ends_with_the_new_release(fake: Fake, tmp_path: Path) -> None:
    old, new = source_of(tmp_path), source_of(tmp_path, "2.0.0")
    counted = count()
    with pytest.MonkeyPatch.context() as patch:
        other = Fake(fresh(tmp_path / "counted"))
        install(other, old)
        at_each_step(other, patch, lambda: next(counted))
        Upgrader(other.layout, other).upgrade(new)
    steps = next(counted)
    assert steps >= 7
    for step in range(steps):
        tried = Fake(fresh(tmp_path / f"host{step}"))
        install(tried, old)
        with pytest.MonkeyPatch.context() as patch:
            at_each_step(tried, patch, kill_at(step))
            with pytest.raises(Killed):
                Upgrader(tried.layout, tried).upgrade(new)
        tried.trouble = lambda argv: None
        restarts = len(tried.restarts)
        Upgrader(tried.layout, tried).upgrade(new)
        record = _record(tried.layout)
        assert (release.current(tried.layout), record.release, record.previous) == ("2.0.0", "2.0.0", "1.0.0"), step
        assert len(tried.restarts) == restarts + 1, "what runs may still be the old release"


def test_installing_with_upgrade_completes_an_interrupted_one_or_does_nothing(tmp_path: Path) -> None:
    old, new = source_of(tmp_path), source_of(tmp_path, "2.0.0")
    for step in range(50):
        tried = Fake(fresh(tmp_path / f"host{step}"))
        install(tried, old)
        with pytest.MonkeyPatch.context() as patch:
            at_each_step(tried, patch, kill_at(step))
            try:
                Upgrader(tried.layout, tried).upgrade(new)
            except Killed:
                ended = False
            else:
                ended = True
        tried.trouble = lambda argv: None
        unfinished = _record(tried.layout).release != "2.0.0" or bool(_record(tried.layout).target)
        restarts = len(tried.restarts)
        Upgrader(tried.layout, tried).upgrade_other(new)
        record = _record(tried.layout)
        assert (release.current(tried.layout), record.release, record.target) == ("2.0.0", "2.0.0", ""), step
        assert len(tried.restarts) == restarts + unfinished, step
        if ended:
            assert not unfinished
            return
    raise AssertionError("an upgrade of more than fifty steps")


def test_a_build_keeps_its_name_while_others_come_and_go(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    first, second, third = (source_of(tmp_path, content=word) for word in ("first", "second", "third"))
    install(fake, first)
    names = [Upgrader(layout, fake).upgrade(source) for source in (second, third)]
    restarts = len(fake.restarts)
    assert release.name_of(third, layout) == names[-1], "the plain name is free by now"
    Upgrader(layout, fake).upgrade_other(third)
    assert len(fake.restarts) == restarts
    assert _record(layout).previous == names[0], "a rollback leads to another build"


def test_an_upgrade_can_be_rolled_back(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        if version == "1.0.0":
            install(fake, source_of(tmp_path, version))
        else:
            assert Upgrader(layout, fake).upgrade(source_of(tmp_path, version)) == version
    assert sorted(path.name for path in layout.releases.iterdir()) == ["1.1.0", "1.2.0"]
    assert Upgrader(layout, fake).roll_back() == "1.1.0"
    assert release.current(layout) == "1.1.0" and _record(layout).previous == "1.2.0"
    assert fake.restarts == ["sampan-master.service"] * 4


def test_a_release_that_does_not_start_is_taken_back(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    install(fake, source_of(tmp_path))

    def refuse(argv: tuple[str, ...]) -> None:
        if "restart" in argv and release.current(layout) == "2.0.0":
            raise HostError("systemctl failed")

    fake.trouble = refuse
    with pytest.raises(HostError, match=r"release 1\.0\.0 runs again"):
        Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    assert release.current(layout) == _record(layout).release == "1.0.0" and _record(layout).previous == ""


def test_a_service_that_an_interrupted_upgrade_left_starting_is_restarted_and_awaited(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    install(fake, source_of(tmp_path))
    fake.active.clear()
    fake.starting.add("sampan-master.service")
    fake.restarts.clear()
    Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    assert fake.restarts == ["sampan-master.service"]
    fake.starting.clear()
    fake.active.clear()
    fake.restarts.clear()
    Upgrader(layout, fake).roll_back()
    assert fake.restarts == [], "what was stopped stays so"
