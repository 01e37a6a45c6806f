"""Services may do what their configuration needs, and uninstalling finds state directories by it."""

from __future__ import annotations

import pytest

from host.errors import HostError, WrongUse
from host.installation.install import Installer
from host.installation.uninstall import Uninstaller
from host.layout import HostLayout
from host.services.units import unit_text
from host.source import Source
from tests.fakes.host import Fake, install, state


def configure(layout: HostLayout, text: str) -> None:
    layout.etc.mkdir(exist_ok=True)
    layout.config("master").write_text(text)


def settings(layout: HostLayout) -> list[str]:
    return unit_text("master", layout).splitlines()


@pytest.mark.parametrize(
    ("data_dir", "written"),
    [
        ("/srv/sampan", "/srv/sampan"),
        ("/srv/my data/100%", '"/srv/my data/100%%"'),
        ('/srv/a\\\\b\\"c', '"/srv/a\\\\b\\"c"'),
        ("/srv/ü", '"/srv/ü"'),
    ],
)
def test_the_master_may_write_to_its_data_directory(layout: HostLayout, data_dir: str, written: str) -> None:
    configure(layout, f'data_dir = "{data_dir}"\n')
    assert {f"ReadWritePaths={written}", f"RequiresMountsFor={written}", "ProtectHome=yes"} <= set(settings(layout))


@pytest.mark.parametrize("data_dir", ["/home/sampan", "/root/sampan"])
def test_homes_stay_hidden_unless_the_data_directory_is_there(layout: HostLayout, data_dir: str) -> None:
    configure(layout, f'data_dir = "{data_dir}"\n')
    assert {f"ReadWritePaths={data_dir}", "ProtectHome=read-only"} <= set(settings(layout))


@pytest.mark.parametrize(
    ("ports", "may"),
    [
        ("", False),
        ("api_port = 443", True),
        ("session_port = 80", True),
        ("api_port = 0", False),
        ("api_port = 1024", False),
    ],
)
def test_a_low_port_needs_one_capability(layout: HostLayout, ports: str, may: bool) -> None:
    configure(layout, f'data_dir = "/srv"\n{ports}\n')
    capabilities = [line for line in settings(layout) if "Capabilit" in line]
    capability = "CAP_NET_BIND_SERVICE" if may else ""
    assert capabilities[0] == f"CapabilityBoundingSet={capability}"
    assert capabilities[1:] == ([f"AmbientCapabilities={capability}"] if may else [])


@pytest.mark.parametrize(
    ("data_dir", "says"),
    [
        ("relative", "must be the absolute path"),
        ("/srv/../etc", "must be the absolute path"),
        ("/srv/a\\nb", "must be the absolute path"),
        ("/tmp/sampan", "must not be a temporary directory"),
        ("/var/tmp/sampan", "must not be a temporary directory"),
    ],
)
def test_a_data_directory_that_no_service_can_use_is_refused(
    fake: Fake, layout: HostLayout, source: Source, data_dir: str, says: str
) -> None:
    configure(layout, f'data_dir = "{data_dir}"\n')
    before = state(fake)
    with pytest.raises(HostError, match=rf"master\.toml: data_dir {says}"):
        install(fake, source, settings={})
    assert state(fake) == before


def test_invalid_settings_are_left_to_the_daemon(layout: HostLayout) -> None:
    usual = unit_text("master", layout)
    for text in ("[", "data_dir = 7\napi_port = 'x'\n", "\udcff".encode(errors="surrogateescape").decode("latin-1")):
        configure(layout, text)
        assert unit_text("master", layout) == usual


def test_a_changed_data_directory_is_applied_by_installing_again_and_a_purge_removes_both(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    before = state(fake)
    install(fake, source)
    text = layout.config("master").read_text()
    assert "first run `sampan install master`" in text
    layout.config("master").write_text(text.replace("/var/lib/sampan/master", "/srv/data/sampan"))
    Installer(layout, fake).install("master", None, {})  # as the installed command does
    data = layout.root / "srv/data/sampan"
    assert data.stat().st_mode & 0o777 == 0o700
    assert "ReadWritePaths=/srv/data/sampan\n" in layout.unit("master").read_text()
    (data / "store.db").touch()
    (layout.state("master") / "store.db").touch()
    assert Uninstaller(layout, fake).uninstall(purge=True) == []
    assert state(fake) == before


def test_an_existing_directory_is_used_if_it_is_empty_or_a_masters_and_stays(
    fake: Fake, layout: HostLayout, source: Source
) -> None:
    data = layout.root / "srv"
    (data / "lost+found").mkdir(parents=True)
    configure(layout, 'data_dir = "/srv"\n')
    install(fake, source, settings={})
    (data / "pki").mkdir()
    install(fake, source, settings={})
    assert Uninstaller(layout, fake).uninstall(purge=True) == [str(data)], "the command lists what stays"
    assert (data / "pki").exists()
    (data / "pki").rename(data / "letters")
    with pytest.raises(HostError, match="contains other things than a master's: name a directory of its own"):
        install(fake, source, settings={})


def test_a_node_with_another_state_directory_is_still_a_node(fake: Fake, layout: HostLayout, source: Source) -> None:
    install(fake, source, "agent")
    layout.config("agent").write_text('state_dir = "/srv/agent"\n')
    (layout.root / "srv/agent").mkdir(parents=True)
    (layout.root / "srv/agent/identity.json").write_text("{}")
    with pytest.raises(HostError, match="sampan leave"):
        Uninstaller(layout, fake).uninstall(purge=True)


def test_another_role_gets_the_installed_release(fake: Fake, layout: HostLayout, source: Source) -> None:
    with pytest.raises(WrongUse, match="name a wheel or a bundle with --from"):
        Installer(layout, fake).install("agent", None, {"node_name": "n1"})
    assert not layout.opt.exists()
    install(fake, source)
    Installer(layout, fake).install("agent", None, {"node_name": "n1"})
    assert layout.unit("agent").exists()
