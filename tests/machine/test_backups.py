"""Regular backups of an installed master: systemd's timer makes them, they can be restored, the newest are kept."""

from __future__ import annotations

import json

import pytest

from netrig.plugin import eventually
from tests.machine.bed import Machine
from tests.machine.hosts import is_active

pytestmark = pytest.mark.timeout(300)

BACKUPS = "/srv/backups"
SERVICE, TIMER = "sampan-backup.service", "sampan-backup.timer"
_NOW = "/etc/systemd/system/sampan-backup.timer.d/test.conf"


def backups(machine: Machine) -> list[str]:
    return [name for name in machine.output("ls", BACKUPS).split() if name.startswith("sampan-")]


def install(machine: Machine, *options: str) -> None:
    machine.run("sampan", "install", "master", *options, timeout_s=120)


def test_a_timer_makes_backups_that_restore_and_the_newest_stay(pair: tuple[Machine, Machine]) -> None:
    master, _ = pair
    install(master, "--backup-dir", BACKUPS, "--backup-keep", "2", "--backup-at", "*:*:0/3")
    try:
        assert master.output("stat", "-c", "%a %U", BACKUPS) == "700 sampan"
        # systemd joins timers that elapse within the same minute.
        master.write(_NOW, "[Timer]\nAccuracySec=100ms\n")
        master.run("systemctl", "daemon-reload")
        master.write(f"{BACKUPS}/notes", "not a backup")
        eventually(lambda: len(backups(master)) == 2, within_s=60)
        first = backups(master)
        eventually(lambda: len(backups(master)) == 2 and not set(first) & set(backups(master)), within_s=60)

        # A new schedule; directory and number of backups stay.
        install(master, "--backup-at", "yearly")
        eventually(lambda: not is_active(master, "backup"), within_s=30)
        newest = backups(master)[-1]
        assert master.output("stat", "-c", "%a %U", f"{BACKUPS}/{newest}") == "600 sampan"
        restored = master.output("sampan", "restore", "--data-dir", "/srv/restored", f"{BACKUPS}/{newest}")
        assert "in /srv/restored" in restored and "it continues at revision" in restored

        # The timer stops and starts with the master.
        timer = ("systemctl", "is-active", TIMER)
        master.run("systemctl", "stop", "sampan-master")
        assert master.run(*timer, check=False).stdout.strip() == "inactive"
        master.run("systemctl", "start", "sampan-master")
        assert master.output(*timer) == "active"

        # A backup that fails is a failed unit.
        master.run("chown", "root", BACKUPS)
        assert master.run("systemctl", "start", SERVICE, check=False).returncode != 0
        assert json.loads(master.output("systemctl", "list-units", "--failed", "--output=json", SERVICE))
    finally:
        master.run("rm", "-f", _NOW)
        install(master, "--backup-dir", "")
    assert not master.output("systemctl", "list-units", "--all", "--no-legend", "sampan-backup*")
    assert not master.exists(f"/etc/systemd/system/{TIMER}")
    assert len(backups(master)) == 2 and master.exists(f"{BACKUPS}/notes")
    master.run("rm", "-r", BACKUPS, "/srv/restored")
