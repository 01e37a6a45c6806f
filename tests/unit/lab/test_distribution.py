"""Installing packages: services are not started, and the policy that prevents it is removed afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import distribution


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(distribution, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(distribution, "_SAVED", tmp_path / "saved")
    return tmp_path / "policy-rc.d"


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"], ids=["none", "existing"])
def test_services_are_not_started_and_the_former_policy_is_restored(policy: Path, before: str | None) -> None:
    if before is not None:
        policy.write_text(before)
    with pytest.raises(KeyboardInterrupt), distribution._services_stay_down():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
        raise KeyboardInterrupt
    assert (policy.read_text() if policy.exists() else None) == before


def test_the_policy_is_restored_after_an_interrupted_installation(policy: Path) -> None:
    policy.write_text("existing")
    interrupted = distribution._services_stay_down()
    interrupted.__enter__()  # without __exit__: the command was killed
    with distribution._services_stay_down():
        assert policy.read_text() != "existing"
    assert policy.read_text() == "existing"


def test_only_newly_installed_services_are_disabled(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(distribution, "_UNIT_DIRECTORIES", (tmp_path,))
    monkeypatch.setattr(distribution, "_call", calls.append)
    monkeypatch.setattr(distribution.shutil, "which", lambda name, path: f"/bin/{name}")
    (tmp_path / "containerd.service").touch()
    with distribution._services_stay_down():
        (tmp_path / "docker.service").touch()
    assert calls == [["systemctl", "--quiet", "disable", "docker.service"]]
    assert not policy.exists()
