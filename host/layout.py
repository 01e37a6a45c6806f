"""Where an installed host keeps what. Makes nothing itself.

All paths hang from `root`, so that tests have a host in a directory; what is written *into* files and links says the
paths as the host sees them (`seen`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Role = Literal["master", "agent"]
ROLES: Final[tuple[Role, ...]] = ("master", "agent")
USER: Final = "sampan"
"""The master's system user and group; the agent is root."""


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
        """Held by whoever changes this host, from install to reset; on a file system that is empty after a boot."""
        return self.root / "run/sampan-host.lock"

    @property
    def command(self) -> Path:
        """`sampan` on everybody's PATH: a link."""
        return self.root / "usr/local/bin/sampan"

    @property
    def command_target(self) -> str:
        """Where it leads."""
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

    def config(self, role: Role) -> Path:
        return self.etc / f"{role}.toml"

    def state(self, role: Role) -> Path:
        return self.var / role

    def unit(self, role: Role) -> Path:
        return self.units / unit_name(role)

    def seen(self, path: Path) -> str:
        """The path as the host itself says it."""
        return f"/{path.relative_to(self.root)}"


def unit_name(role: Role) -> str:
    return f"sampan-{role}.service"
