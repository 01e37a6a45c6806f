"""Installing an agent writes snippets for the managers of the host's network, and uninstalling removes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.installation.install import Installer
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from host.services.snippets import SNIPPETS
from host.source import Source
from tests.fakes.host import Fake, fresh, install, source_of, state

MANAGER, NETWORKD = SNIPPETS["NetworkManager"], SNIPPETS["systemd-networkd"]


@pytest.fixture
def layout(tmp_path: Path) -> HostLayout:
    """A host with both managers; NetworkManager is active."""
    layout = fresh(tmp_path / "host")
    for snippet in SNIPPETS.values():
        program = there(layout, snippet.program)
        program.parent.mkdir(parents=True)
        program.touch()
    (layout.root / "etc/systemd/network").mkdir()
    return layout


@pytest.fixture
def fake(layout: HostLayout) -> Fake:
    return Fake(layout, active={"NetworkManager.service"})


def there(layout: HostLayout, path: str) -> Path:
    return layout.root / path.lstrip("/")


def test_an_agents_snippets_are_written_and_removed_and_active_managers_reload(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    before = state(fake)
    install(fake, source, "agent")
    for snippet in SNIPPETS.values():
        assert there(layout, snippet.path).read_text() == snippet.content
    assert [call for call in fake.calls if call[0] in ("nmcli", "networkctl")] == [MANAGER.reload]
    fake.calls.clear()
    Uninstaller(layout, fake).uninstall(purge=True)
    assert state(fake) == before
    assert [call for call in fake.calls if call[0] in ("nmcli", "networkctl")] == [MANAGER.reload]


def test_a_master_needs_none_and_a_host_without_managers_gets_none(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    install(fake, source, "master")
    there(layout, MANAGER.program).unlink()
    assert not any(there(layout, each.path).exists() for each in SNIPPETS.values())
    install(fake, source, "agent")
    assert [there(layout, each.path).exists() for each in SNIPPETS.values()] == [False, True]


def test_a_foreign_file_in_the_place_of_a_snippet_stays(fake: Fake, layout: HostLayout, source: Source) -> None:
    path = there(layout, NETWORKD.path)
    path.write_text("mine")
    install(fake, source, "agent")
    Uninstaller(layout, fake).uninstall(purge=True)
    assert path.read_text() == "mine"


def test_an_upgrade_brings_what_an_older_release_did_not_write(
    fake: Fake, layout: HostLayout, source: Source, tmp_path: Path
) -> None:
    program = there(layout, MANAGER.program)
    program.unlink()
    install(fake, source, "agent")
    program.touch()
    assert not there(layout, MANAGER.path).exists()
    Upgrader(layout, fake).upgrade(source_of(tmp_path, "2.0.0"))
    assert there(layout, MANAGER.path).exists()
    record = Record.load(layout)
    assert record is not None and MANAGER.path in record.files


def test_a_manager_that_cannot_reload_is_reported(
    fake: Fake, layout: HostLayout, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "succeeds", lambda self, *argv: argv[0] != "nmcli")
    remarks: list[str] = []
    Installer(layout, fake, say=remarks.append).install("agent", source, {"node_name": "n1"})
    assert remarks == ["NetworkManager could not read its files again: run `nmcli general reload` when it can"]
