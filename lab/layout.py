"""Names and paths of a lab, all derived from its name.

Owns the naming rules alone: whoever removes a lab needs nothing but its name, also when its state file is gone. Makes
nothing itself.
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
"""At most 24 characters: the engine's socket path below the lab's directory must stay under the kernel's 108."""


@dataclass(frozen=True, slots=True)
class HostPaths:
    """One host's places, all below `directory`."""

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
        """Where a pod's hostPath `/data` is found: the host's own file system, as it were.

        A directory of its own: from a pod, neither the engine's data nor the agent's identity is to be reached.
        """
        return self.directory / "rootfs"

    @property
    def xtables_lock(self) -> Path:
        return self.directory / "xtables.lock"


@dataclass(frozen=True, slots=True)
class Layout:
    """A lab's names and paths. Several labs share nothing but the caches."""

    name: str
    labs_root: Path = LABS_ROOT

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(
                f'lab name "{self.name}" is not usable: at most 24 lower-case letters, digits and "-", '
                "beginning and ending with a letter or digit"
            )

    @property
    def directory(self) -> Path:
        return self.labs_root / self.name

    @property
    def state_file(self) -> Path:
        return self.directory / "lab.json"

    @property
    def lock_file(self) -> Path:
        """Outside the lab's directory: the lock must outlive the directory that it guards."""
        return CACHE_ROOT / "locks" / f"{self.name}.lock"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def underlay_name(self) -> str:
        return self.netns_name("underlay")

    @property
    def cgroup(self) -> str:
        """Parent of the hosts' cgroups, below each controller's root."""
        return f"/sampan-{self.name}"

    @property
    def root_link(self) -> str:
        """The root namespace's leg; 15 characters are all that the kernel allows, so a digest stands for the name."""
        return "sampan-" + hashlib.sha256(self.name.encode()).hexdigest()[:8]

    def netns_name(self, host: str) -> str:
        return f"sampan-{self.name}-{host}"

    def host_cgroup(self, host: str) -> str:
        return f"{self.cgroup}/{host}"

    def host(self, host: str) -> HostPaths:
        return HostPaths(self.directory / "hosts" / host, NETNS_ROOT / self.netns_name(host))

    def netns_paths(self) -> list[Path]:
        """Every network namespace of this lab that exists, the underlay included, whatever the state file says.

        A lab `a` must not take the namespaces of a lab `a-b`: host names contain no hyphen.
        """
        prefix = self.netns_name("")
        found = NETNS_ROOT.glob(f"{prefix}*")
        return sorted(path for path in found if "-" not in path.name.removeprefix(prefix))
