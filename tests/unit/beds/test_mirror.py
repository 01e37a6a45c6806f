"""Which mirror root file systems are built from, by the machine's apt sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.machine import recipe
from tests.machine.bed import rootfs
from tests.machine.bed.mirror import Mirror, of_this_machine

CONTAINER = """\
Types: deb
# http://snapshot.debian.org/archive/debian/20250520T000000Z
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
"""
INSTALLED = """\
# deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64 DVD]/ bookworm main non-free-firmware
deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64 DVD]/ bookworm main
deb-src https://source.example/debian/ bookworm main
deb https://ftp.de.debian.org/debian/ bookworm main non-free-firmware  # the nearest
deb http://security.debian.org/debian-security bookworm-security main
deb https://ftp.de.debian.org/debian/ bookworm-updates main
"""
DOCKER = (
    "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian bookworm stable\n"
)
POSTGRES = "deb [signed-by=/k.asc] https://apt.postgresql.org/pub/repos/apt bookworm-pgdg main\n"
PHP = "deb https://packages.sury.example/php/ bookworm main\n"
OPTIONS = "deb [ arch=amd64 trusted=yes ] http://10.1.2.3:3142/debian trixie main contrib\n"
CONTINUED = """\
Types: deb deb-src
URIs:
 http://mirror.example/debian
 http://second.example/debian
Suites: trixie
 trixie-updates
Components: main

X-Comment: empty
"""
DISABLED = "Enabled: no\n" + CONTAINER.replace("\n\n", "\nEnabled: no\n\n")
UBUNTU = "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: noble noble-updates\nComponents: main universe\n"


def write(apt: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = apt / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "uri"),
    [
        pytest.param({"sources.list.d/debian.sources": CONTAINER}, "http://deb.debian.org/debian", id="container"),
        pytest.param({"sources.list": INSTALLED}, "https://ftp.de.debian.org/debian", id="installed"),
        pytest.param(
            {"sources.list": DOCKER + POSTGRES + INSTALLED}, "https://ftp.de.debian.org/debian", id="beside others"
        ),
        pytest.param(
            {"sources.list.d/php.list": PHP, "sources.list.d/z.sources": CONTAINER},
            "http://deb.debian.org/debian",
            id="the one with updates",
        ),
        pytest.param({"sources.list.d/proxy.list": OPTIONS}, "http://10.1.2.3:3142/debian", id="options and a port"),
        pytest.param({"sources.list.d/x.sources": CONTINUED}, "http://mirror.example/debian", id="continued fields"),
        pytest.param(
            {"sources.list": "", "sources.list.d/a.sources": DISABLED, "sources.list.d/b.list": OPTIONS},
            "http://10.1.2.3:3142/debian",
            id="not the disabled one",
        ),
    ],
)
def test_the_mirror_is_that_of_the_apt_sources(tmp_path: Path, files: Mapping[str, str], uri: str) -> None:
    write(tmp_path, files)
    assert of_this_machine(tmp_path) == Mirror(uri)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no sources"),
        pytest.param({"sources.list.d/ubuntu.sources": UBUNTU}, id="another distribution"),
        pytest.param({"sources.list": DOCKER + POSTGRES}, id="other repositories only"),
        pytest.param({"sources.list": "deb\ndeb http://mirror.example/debian\nnonsense\n"}, id="unreadable"),
        pytest.param({"sources.list": "deb file:/srv/debian bookworm main\n"}, id="not over http"),
        pytest.param({"sources.list.d/debian.sources.bak": CONTAINER}, id="ignored file name"),
    ],
)
def test_without_one_the_default_mirror_is_used_and_the_reason_given(tmp_path: Path, files: Mapping[str, str]) -> None:
    write(tmp_path, files)
    result = of_this_machine(tmp_path)
    assert result.uri == recipe.DEFAULT_MIRROR
    assert str(tmp_path) in result.reason


def test_a_build_fetches_every_release_from_that_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def call(*command: str) -> None:
        calls.append(command)
        for name in (*recipe.EMPTIED, "/etc", "/var/lib/dbus"):
            (tmp_path / "tree" / name.lstrip("/")).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(rootfs, "call", call)
    monkeypatch.setattr(rootfs, "of_this_machine", lambda: Mirror("https://mirror.example/debian"))
    rootfs.make_tree(recipe.Recipe("x", "trixie", "3.13", ("systemd",)), tmp_path / "tree")
    assert calls[0][-3:] == ("trixie", str(tmp_path / "tree"), "https://mirror.example/debian")
