"""Completion scripts for shells are installed with a release, and removed with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host import completions, host_files
from host.host_files import HostFile
from host.installation.uninstall import Uninstaller
from host.layout import HostLayout
from host.source import Source
from tests.fakes.host import Fake, install, source_of, state

PATH = "/usr/local/share/fish/vendor_completions.d/sampan.fish"
DIRECTORY = "usr/local/share/fish"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return source_of(tmp_path, needed=[HostFile(PATH, "complete", ("true",), optional=True)])


def test_the_scripts_of_the_wheel_are_files_of_every_host(
    layout: HostLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completions.scripts() == {}, "a checkout that was not built"
    (tmp_path / completions.FILE).write_text(json.dumps({PATH: "complete"}))
    monkeypatch.setattr(completions.resources, "files", lambda _: tmp_path)
    for role in ("master", "agent"):
        assert HostFile(PATH, "complete", ("true",), optional=True) in host_files.needed(layout, [role])


def test_nothing_is_left_of_them_after_uninstalling(fake: Fake, layout: HostLayout, source: Source) -> None:
    before = state(fake)
    install(fake, source, "agent")
    assert (layout.root / PATH.lstrip("/")).read_text() == "complete"
    kept = Uninstaller(layout, fake).uninstall(purge=False)
    assert kept == ["/etc/sampan", "/var/lib/sampan"]
    assert not (layout.root / DIRECTORY).exists()
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before


def test_a_script_and_directories_of_others_stay(fake: Fake, layout: HostLayout, source: Source) -> None:
    path = layout.root / PATH.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text("foreign")
    install(fake, source)
    Uninstaller(layout, fake).uninstall(purge=True)
    assert path.read_text() == "foreign"
