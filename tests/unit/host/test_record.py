"""Earlier and later releases read the record, too: after a rollback every command must still work."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from host import release
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from tests.fakes.host import Fake, Killed, install, source_of, state


@dataclass(frozen=True, slots=True)
class First:
    """The record as the first release reads it: an unknown key is an error."""

    roles: tuple[str, ...] = ()
    release: str = ""
    previous: str = ""
    unfinished: bool = False
    user_made: bool = False
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()

    @classmethod
    def load(cls, layout: HostLayout) -> First:
        values = json.loads(layout.record.read_text())
        assert values.pop("format") == 1
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    def save(self, layout: HostLayout) -> None:
        layout.record.write_text(json.dumps({"format": 1, **asdict(self)}))


def change(layout: HostLayout, **values: Any) -> None:
    layout.record.write_text(json.dumps({**json.loads(layout.record.read_text()), **values}))


def loaded(layout: HostLayout) -> Record:
    record = Record.load(layout)
    assert record is not None
    return record


def upgrade_killed(fake: Fake, tmp_path: Path) -> None:
    """An upgrade from 1.0.0 to 2.0.0 that is killed at the restart."""
    install(fake, source_of(tmp_path))

    def kill(argv: tuple[str, ...]) -> None:
        if "restart" in argv:
            raise Killed

    fake.trouble = kill
    with pytest.raises(Killed):
        Upgrader(fake.layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    fake.trouble = lambda argv: None


def test_the_first_release_reads_and_writes_the_same_record(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    install(fake, source_of(tmp_path))
    before = loaded(layout)
    first = First.load(layout)
    assert (first.release, first.roles, first.unfinished) == ("1.0.0", ("master",), False)
    first.save(layout)
    assert loaded(layout) == before and before.releases == ("1.0.0",)


def test_the_first_release_sees_an_unfinished_change_and_keeps_its_details(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    upgrade_killed(fake, tmp_path)
    before = loaded(layout)
    assert (before.release, before.target, before.ran) == ("1.0.0", "2.0.0", ("master",))
    first = First.load(layout)
    assert first.unfinished
    first.save(layout)
    assert loaded(layout) == before


def test_recorded_releases_are_forgotten_with_their_directories(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    before = state(fake)
    install(fake, source_of(tmp_path))
    assert not any("releases" in kept for kept in Uninstaller(layout, fake).uninstall(purge=False))
    assert not any("releases" in path for path in First.load(layout).directories)
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before


def test_a_change_that_the_first_release_began_counts_as_unfinished(
    fake: Fake, layout: HostLayout, tmp_path: Path
) -> None:
    """It records the new release as the running one before it switches."""
    new = source_of(tmp_path, "2.0.0")
    install(fake, source_of(tmp_path))
    Upgrader(layout, fake).upgrade(new)
    change(layout, unfinished=True)
    record = loaded(layout)
    assert (record.release, record.target, record.previous) == ("1.0.0", "2.0.0", "")
    fake.restarts.clear()
    Upgrader(layout, fake).upgrade_other(new)
    assert fake.restarts == ["sampan-master.service"]
    record = loaded(layout)
    assert (record.release, record.target, record.previous) == ("2.0.0", "", "1.0.0")
    change(layout, unfinished=True)
    assert Upgrader(layout, fake).roll_back() == release.current(layout) == "1.0.0"


def test_keys_of_later_releases_are_ignored(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    install(fake, source_of(tmp_path))
    before = loaded(layout)
    change(layout, later=["something"], more=7)
    assert loaded(layout) == before


def test_the_record_of_the_release_with_other_keys_is_read(fake: Fake, layout: HostLayout, tmp_path: Path) -> None:
    upgrade_killed(fake, tmp_path)
    text = json.loads(layout.record.read_text())
    del text["unfinished"]
    text["directories"] = [path for path in text["directories"] if "releases" not in path]
    layout.record.write_text(json.dumps({**text, "target": "2.0.0", "releases": ["1.0.0", "2.0.0"]}))
    record = loaded(layout)
    assert (record.release, record.target, record.ran, record.releases) == ("1.0.0", "2.0.0", (), ("1.0.0", "2.0.0"))
