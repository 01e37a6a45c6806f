"""The systemd units of an installed host, as text: master, agent, and the master's backups.

The meaning of each setting is in systemd.unit(5), .service(5), .exec(5) and .timer(5). Units allow a daemon what its
configuration needs, so they are written again after a change of it, by `sampan install ROLE`.
"""

import re
from pathlib import Path
from typing import Final

from host.layout import BACKUP_UNITS, USER, HostLayout, Role
from host.services import backups, configured

_COMMON: Final = """\
Type=notify
NotifyAccess=main
# A process that hangs has to write its stacks, is killed, and starts again.
WatchdogSec=30
Environment=PYTHONFAULTHANDLER=1
LimitCORE=0
# A daemon may need minutes while a slow host boots; one that cannot start ends by itself.
TimeoutStartSec=300
TimeoutStopSec=20
# A daemon that fails again and again delays its own start (hull/restarts.py); systemd can do so only from 254 on.
Restart=always
RestartSec=1
RuntimeDirectory=sampan-{role}
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=restart
OOMScoreAdjust=-900
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
"""

_CONFINED: Final = """\
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome={homes}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
"""
"""One directory is writable, and nothing else."""

_MASTER: Final = """\
# Written by `sampan install`; put changes into a drop-in (systemctl edit sampan-master).
[Unit]
Description=Sampan master
Wants=network-online.target{wants}
After=network-online.target
# Never given up: the disk may have room again later, or the address appear.
StartLimitIntervalSec=0
RequiresMountsFor={state}

[Service]
ExecStart={current}/bin/sampan master --config {config}
User={user}
Group={user}
UMask=0077
LimitNOFILE=65536
TasksMax=1024
{common}\
# The master writes to its data directory only. After a change of `data_dir`, or to a port below 1024,
# `sampan install master` writes this file again.
{confined}\
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{capabilities}

[Install]
WantedBy=multi-user.target
"""

_AGENT: Final = """\
# Written by `sampan install`; put changes into a drop-in (systemctl edit sampan-agent).
[Unit]
Description=Sampan agent
Wants=network-online.target
After=network-online.target docker.service docker.socket podman.socket
StartLimitIntervalSec=0
RequiresMountsFor={state}

[Service]
ExecStart={current}/bin/sampan agent --config {config}
# Containers belong to the engine; no process that a stopped agent leaves is killed.
KillMode=process
# The node has left the cluster: nothing to do here before the next join.
RestartPreventExitStatus=6
SuccessExitStatus=6
LimitNOFILE=65536
TasksMax=4096
{common}\
# No setting that gives the agent a mount namespace: the engine must see what the agent mounts for pods.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET

[Install]
WantedBy=multi-user.target
"""

_BACKUP_SERVICE: Final = """\
# Written by `sampan install`; put changes into a drop-in (systemctl edit sampan-backup.service).
[Unit]
Description=Sampan backup of the master
After=sampan-master.service
RequiresMountsFor={directory}

[Service]
Type=oneshot
# The colon: dollar signs in the path are not variables.
ExecStart=:{current}/bin/sampan backup --config {config} --keep {keep} {directory}
User={user}
Group={user}
UMask=0077
TimeoutStartSec=3600
LimitCORE=0
NoNewPrivileges=yes
{confined}\
# The master is asked over the socket in its data directory.
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
CapabilityBoundingSet=
"""

_BACKUP_TIMER: Final = """\
# Written by `sampan install` from {settings}, which `sampan install master` applies.
# The master's service starts it, so it needs no [Install].
[Unit]
Description=Regular backups of the Sampan master
PartOf=sampan-master.service

[Timer]
OnCalendar={at}
# A backup that was due while the host was off is made when it is up again.
Persistent=true
"""

_NONE: Final = "CapabilityBoundingSet="
_LOW_PORTS: Final = "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE"
_HOMES: Final = ("/home", "/root", "/run/user")
"""Hidden by ProtectHome=yes; when they are only read-only, one directory in there can be writable."""


def unit_text(role: Role, layout: HostLayout) -> str:
    """The unit file of a role for its present configuration. Raises HostError when a service could not run with it."""
    state = configured.state(role, layout)
    wants = f" {BACKUP_UNITS[0]}" if role == "master" and backups.load(layout) else ""
    return (_MASTER if role == "master" else _AGENT).format(
        current=layout.seen(layout.current),
        config=layout.seen(layout.config(role)),
        state=_quoted(layout.seen(state)),
        wants=wants,
        confined=_confined(Path(layout.seen(state))),
        capabilities=_LOW_PORTS if configured.has_low_port(layout) else _NONE,
        user=USER,
        common=_COMMON.format(role=role),
    )


def backup_units(layout: HostLayout) -> dict[str, str]:
    """The unit files of regular backups by their names; empty where there are none. Raises HostError."""
    chosen = backups.load(layout)
    if chosen is None:
        return {}
    timer, service = BACKUP_UNITS
    values = {
        "current": layout.seen(layout.current),
        "config": layout.seen(layout.config("master")),
        "settings": layout.seen(layout.backup_config),
        "directory": _quoted(str(chosen.directory)),
        "keep": chosen.keep,
        "at": chosen.at,
        "user": USER,
        "confined": _confined(chosen.directory, Path(layout.seen(configured.state("master", layout)))),
    }
    return {service: _BACKUP_SERVICE.format(**values), timer: _BACKUP_TIMER.format(**values)}


def _confined(writable: Path, *readable: Path) -> str:
    paths = (writable, *readable)
    homes = "read-only" if any(path.is_relative_to(home) for path in paths for home in _HOMES) else "yes"
    return _CONFINED.format(writable=_quoted(str(writable)), homes=homes)


def _quoted(path: str) -> str:
    """A path as systemd.syntax(7) needs it, with percent signs that do not start a specifier."""
    path = path.replace("%", "%%")
    if re.fullmatch(r"[-\w/.:+@%]+", path, re.ASCII):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
