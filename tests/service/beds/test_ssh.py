"""Commands for virtual machines, given to a program in place of ssh."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.vm.bed.ssh import Ssh, Unreachable


def test_a_command_arrives_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although ssh joins the words of the command line, and the other side's shell splits them again."""
    _fake_ssh(tmp_path, monkeypatch, 'for last; do :; done; eval "set -- $last"; printf "%s|" "$@"; cat; exit 3')
    result = _ssh(tmp_path).call(
        ["sh", "-c", "echo 'a  b' $HOME"], input=b"in", timeout_s=10, environment={"A": "1 2"}, user="nobody"
    )
    assert result.stdout == b"runuser|-u|nobody|--|env|A=1 2|sh|-c|echo 'a  b' $HOME|in"
    assert result.returncode == 3


def test_a_broken_connection_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_ssh(tmp_path, monkeypatch, "echo lost >&2; exit 255")
    with pytest.raises(Unreachable, match="debian12: lost"):
        _ssh(tmp_path).call(["true"], input=b"", timeout_s=10, environment={}, user="root")


def _ssh(directory: Path) -> Ssh:
    return Ssh("debian12", IPv4Address("10.77.0.11"), Path("/run/netns/none"), directory / "key", directory)


def _fake_ssh(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    fake = directory / "ssh"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr("tests.vm.bed.ssh.clean_environment", lambda: {"PATH": f"{directory}:/usr/bin:/bin"})
