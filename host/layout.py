"""The paths of an installed host. Makes nothing.

All paths are below `root`, so that a test's host is a directory; what is written into files and links are the paths as
the host itself sees them (`seen`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Role = Literal["master", "agent"]
ROLES: Final[tuple[Role, ...]] = ("master", "agent")
USER: Final = "sampan"
"""The master's system user and group; the agent runs as root."""
BACKUP_UNITS: Final = ("sampan-backup.timer", "sampan-backup.service")
"""Make backups of the master at regular times, where the administrator wants that (services/backups.py)."""


@dataclass(frozen=True, slots=True)
class HostLayout:
    """The paths below one root."""

    root: Path = Path("/")

    @property
    def opt(self) -> Path:
        return self.root / "opt/sampan"

    @property
    def releases(self) -> Path:
        return self.opt / "releases"

    @property
    def current(self) -> Path:
        """A link to the release that runs."""
        return self.opt / "current"

    @property
    def record(self) -> Path:
        return self.opt / "installed.json"

    @property
    def lock(self) -> Path:
        """Held by each command that changes this host, from install to reset. /run is empty after a boot."""
        return self.root / "run/sampan-host.lock"

    @property
    def command(self) -> Path:
        """`sampan` on everybody's PATH: a link."""
        return self.root / "usr/local/bin/sampan"

    @property
    def command_target(self) -> str:
        """The target of that link."""
        return f"{self.seen(self.current)}/bin/sampan"

    @property
    def etc(self) -> Path:
        return self.root / "etc/sampan"

    @property
    def var(self) -> Path:
        return self.root / "var/lib/sampan"

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    @property
    def backup_config(self) -> Path:
        """Exists where backups of the master are made at regular times."""
        return self.etc / "backup.toml"

    @property
    def configs(self) -> tuple[Path, ...]:
        """Files that people may have edited."""
        return (*(self.config(role) for role in ROLES), self.backup_config)

    @property
    def backup_stamp(self) -> Path:
        """systemd's: when the timer of backups elapsed last (systemd.timer(5), Persistent=)."""
        return self.root / "var/lib/systemd/timers/stamp-sampan-backup.timer"

    def config(self, role: Role) -> Path:
        return self.etc / f"{role}.toml"

    def state(self, role: Role) -> Path:
        """The default of `data_dir` and `state_dir`."""
        return self.var / role

    def unit(self, role: Role) -> Path:
        return self.units / unit_name(role)

    def seen(self, path: Path) -> str:
        """The path as the host itself sees it."""
        return f"/{path.relative_to(self.root)}"

    def real(self, seen: str) -> Path:
        """The opposite of `seen`."""
        return self.root / seen.lstrip("/")


def unit_name(role: Role) -> str:
    return f"sampan-{role}.service"
