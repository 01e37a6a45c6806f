"""Installing packages: services stay down, and the policy that keeps them down is taken away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import distribution


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(distribution, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(distribution, "_SAVED", tmp_path / "saved")
    return tmp_path / "policy-rc.d"


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"], ids=["none", "somebody's"])
def test_services_stay_down_while_packages_come_and_the_policy_is_as_it_was(policy: Path, before: str | None) -> None:
    if before is not None:
        policy.write_text(before)
    with pytest.raises(KeyboardInterrupt), distribution._services_stay_down():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
        raise KeyboardInterrupt
    assert (policy.read_text() if policy.exists() else None) == before


def test_what_an_interrupted_installation_left_is_put_right(policy: Path) -> None:
    policy.write_text("theirs")
    interrupted = distribution._services_stay_down()
    interrupted.__enter__()  # and never left: the command was killed
    with distribution._services_stay_down():
        assert policy.read_text() != "theirs"
    assert policy.read_text() == "theirs"


def test_only_services_that_came_along_are_disabled(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(distribution, "_UNIT_DIRECTORIES", (tmp_path,))
    monkeypatch.setattr(distribution, "_call", called.append)
    monkeypatch.setattr(distribution.shutil, "which", lambda name, path: f"/bin/{name}")
    (tmp_path / "containerd.service").touch()
    with distribution._services_stay_down():
        (tmp_path / "docker.service").touch()
    assert called == [["systemctl", "--quiet", "disable", "docker.service"]]
    assert not policy.exists()
