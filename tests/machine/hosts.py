"""What tests ask of a host: what is on it, which processes run, what the API says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.machine import Machine

ADMIN = "/var/lib/sampan/master/admin.kubeconfig"

_SNAPSHOT = """
find /etc /opt /usr/local /var/lib /run/systemd/system -xdev \\
    \\( -path /var/lib/docker -o -path /var/lib/containerd -o -path /var/lib/systemd -o -path '/etc/*-' \\
       -o -path /etc/.pwd.lock \\) -prune -o -printf '%p %y %m %u %g %l\\n' | sort
cat /etc/passwd /etc/group /etc/shadow
systemctl list-unit-files --no-legend --plain
"""


def snapshot(machine: Machine) -> list[str]:
    """Files with kind, mode, owner and target; users and groups; units. What an uninstalled host must have again."""
    return machine.shell(_SNAPSHOT).stdout.splitlines()


def process_of(machine: Machine, role: str) -> int:
    """The pid of the daemon on the machine; 0 when none runs."""
    return int(machine.says("systemctl", "show", "--property=MainPID", "--value", f"sampan-{role}"))


def is_active(machine: Machine, role: str) -> bool:
    return machine.run("systemctl", "--quiet", "is-active", f"sampan-{role}", check=False).returncode == 0


def record(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.says("cat", "/opt/sampan/installed.json"))
    return found


def entries(machine: Machine, *matches: str) -> list[dict[str, Any]]:
    """Journal entries with these fields, oldest first."""
    machine.run("journalctl", "--sync")
    text = machine.says("journalctl", "--no-pager", "-o", "json", *matches)
    return [json.loads(line) for line in text.splitlines()]


def load_image(machine: Machine, built: Path, reference: str) -> None:
    """Put one of the lab's images into the machine's own Docker, as `docker pull` would."""
    config = json.loads((built / "config.json").read_text())["config"]
    changes = [f"ENTRYPOINT {json.dumps(config['Entrypoint'])}", f"CMD {json.dumps(config['Cmd'] or [])}"]
    options = [part for change in changes for part in ("--change", change)]
    machine.run("docker", "import", *options, "-", reference, input=(built / "layer.tar.gz").read_bytes())
