"""The systemd units of master and agent, as text. Meaning of each setting: systemd.unit(5), .service(5), .exec(5).

They let a daemon have what its configuration says, so they are written anew when that changes: `sampan install ROLE`.
"""

import re
from pathlib import Path
from typing import Final

from host.layout import USER, HostLayout, Role
from host.services import configured

_COMMON: Final = """\
Type=notify
NotifyAccess=main
# A process that hangs is ended, tells where it hung, and is started again.
WatchdogSec=30
Environment=PYTHONFAULTHANDLER=1
LimitCORE=0
# While a slow host boots, or its disk is busy, it may need minutes; one that cannot start ends by itself.
TimeoutStartSec=300
TimeoutStopSec=20
# Who fails again and again waits longer each time by itself (hull/restarts.py); systemd can do that from 254 on only.
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

_MASTER: Final = """\
# Written by `sampan install`; put changes into a drop-in (systemctl edit sampan-master).
[Unit]
Description=Sampan master
Wants=network-online.target
After=network-online.target
# It is never given up: the disk may have room again, the address be there.
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
# Its data and nothing else. Where the configuration has them elsewhere, or a port below 1024, `sampan install master`
# writes this file anew.
ProtectSystem=strict
ReadWritePaths={state}
ProtectHome={homes}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
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
# What runs in pods is the engine's; nothing that a stopped agent leaves is ended.
KillMode=process
# It left the cluster: nothing to do here until somebody joins again.
RestartPreventExitStatus=6
SuccessExitStatus=6
LimitNOFILE=65536
TasksMax=4096
{common}\
# No setting that gives it mounts of its own: the engine must see what it mounts for pods.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET

[Install]
WantedBy=multi-user.target
"""


_NONE: Final = "CapabilityBoundingSet="
_LOW_PORTS: Final = "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE"
_HOMES: Final = ("/home", "/root", "/run/user")
"""What ProtectHome= hides; read-only, a directory in there can be an exception."""


def unit_text(role: Role, layout: HostLayout) -> str:
    """The unit file of a role, as its configuration is now. Raises HostError when no service could be as it says."""
    state = Path(layout.seen(configured.state(role, layout)))
    return (_MASTER if role == "master" else _AGENT).format(
        current=layout.seen(layout.current),
        config=layout.seen(layout.config(role)),
        state=_quoted(str(state)),
        homes="read-only" if any(state.is_relative_to(each) for each in _HOMES) else "yes",
        capabilities=_LOW_PORTS if configured.has_low_port(layout) else _NONE,
        user=USER,
        common=_COMMON.format(role=role),
    )


def _quoted(path: str) -> str:
    """As systemd.syntax(7) and its specifiers have it."""
    path = path.replace("%", "%%")
    if re.fullmatch(r"[-\w/.:+@%]+", path, re.ASCII):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
