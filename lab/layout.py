"""Names and paths of a lab, all derived from the lab's name.

So a lab can be removed by its name, even without its state file. Makes nothing itself.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

LABS_ROOT = Path("/var/lib/sampan/labs")
CACHE_ROOT = Path("/var/cache/sampan")
NETNS_ROOT = Path("/run/netns")

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?")
"""At most 24 characters: the path of the engine's socket must be shorter than the kernel's limit of 108."""


@dataclass(frozen=True, slots=True)
class HostPaths:
    """The paths of one host, all below `directory`."""

    directory: Path
    netns: Path

    @property
    def etc(self) -> Path:
        return self.directory / "etc"

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    @property
    def engine(self) -> Path:
        return self.directory / "engine"

    @property
    def engine_socket(self) -> Path:
        return self.engine / "docker.sock"

    @property
    def agent_state(self) -> Path:
        return self.directory / "agent"

    @property
    def master_data(self) -> Path:
        return self.directory / "master"

    @property
    def volumes_root(self) -> Path:
        """The root of the host's file system for hostPath volumes: a pod's `/data` is `data` below it.

        A directory of its own, so that pods reach neither the engine's data nor the agent's identity.
        """
        return self.directory / "rootfs"

    @property
    def xtables_lock(self) -> Path:
        return self.directory / "xtables.lock"


@dataclass(frozen=True, slots=True)
class Layout:
    """The names and paths of one lab. Labs share only the caches."""

    name: str
    labs_root: Path = LABS_ROOT

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(
                f'"{self.name}" is not a valid lab name: up to 24 lower-case letters, digits and "-", '
                "with a letter or digit first and last"
            )

    @property
    def directory(self) -> Path:
        return self.labs_root / self.name

    @property
    def state_file(self) -> Path:
        return self.directory / "lab.json"

    @property
    def lock_file(self) -> Path:
        """Outside the lab's directory, because it also guards the removal of that directory."""
        return CACHE_ROOT / "locks" / f"{self.name}.lock"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def underlay_name(self) -> str:
        return self.netns_name("underlay")

    @property
    def cgroup(self) -> str:
        """The parent of the hosts' cgroups, below the root of each hierarchy."""
        return f"/sampan-{self.name}"

    @property
    def root_link(self) -> str:
        """The link in the root namespace. A digest stands for the lab's name, as link names have 15 characters."""
        return "sampan-" + hashlib.sha256(self.name.encode()).hexdigest()[:8]

    def netns_name(self, host: str) -> str:
        return f"sampan-{self.name}-{host}"

    def host_cgroup(self, host: str) -> str:
        return f"{self.cgroup}/{host}"

    def host(self, host: str) -> HostPaths:
        return HostPaths(self.directory / "hosts" / host, NETNS_ROOT / self.netns_name(host))

    def netns_paths(self) -> list[Path]:
        """All existing network namespaces of this lab, the underlay's included, independent of the state file.

        Host names contain no hyphen, which distinguishes the namespaces of a lab `a` from those of a lab `a-b`.
        """
        prefix = self.netns_name("")
        paths = NETNS_ROOT.glob(f"{prefix}*")
        return sorted(path for path in paths if "-" not in path.name.removeprefix(prefix))
