"""A libvirt daemon of the tests' own, in a network namespace, with its own directories in place of the system's.

Its bridges, rules, machines and files are in namespaces and below the bed's directory. The libvirt of this machine, if
any, is not touched. `tests.vm.bed.bed` removes and sweeps it like other beds.
"""

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final

from hull import processes, sweep, watcher
from hull.errors import StartFailed
from hull.owner import OwnedNames, mark
from hull.processes import ProcessRecord
from lab.environment import clean_environment, require_root, require_space
from lab.errors import LabError
from lab.layout import CACHE_ROOT, NETNS_ROOT
from netrig.errors import Unsupported
from netstack import namespaces
from tests.vm.bed import bed as beds
from tests.vm.bed import qemu
from tests.vm.bed.bed import remove
from tests.vm.bed.image import IMAGES

NAMES: Final = OwnedNames("sampan-libvirt")
"""The names of beds."""

_BYTES: Final = 4 << 30
"""Space for the box, its copies in Vagrant and libvirt, and the writes of two machines."""
_START_S: Final = 30.0
_VIRSH_S: Final = 60.0
_SOCKET: Final = "run/libvirt/libvirt-sock"
_PID: Final = "libvirtd.pid"
"""The pid file, which the daemon writes when its directories are mounted."""

PLUGIN: Final = "/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json"
"""The distribution's plugin, which is installed for all users."""
PROGRAMS: Final = ("libvirtd", "virsh", "dnsmasq", "vagrant")

_SETTINGS: Final = {
    "libvirtd.conf": 'auth_unix_rw = "none"\n',
    # Machines run as root and write their own logs: the bed has no other users and none of libvirt's other daemons.
    "qemu.conf": 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\nnamespaces = []\nstdio_handler = "file"\n',
}

_ENTER: Final = """\
# A sysfs with the devices of this network namespace, where libvirt looks for its bridges, and without cgroups.
umount --recursive --lazy /sys
mount -t sysfs sysfs /sys
# Without the sockets of D-Bus and systemd, so that they are not notified of the machines and networks.
mount -t tmpfs tmpfs /run
mkdir /run/cache
mount --bind "$2" /run/cache
for directory in /etc /var/lib /var/cache /var/log; do
    upper=/run/upper$directory work=/run/work$directory
    mkdir -p $upper $work
    mount -t overlay -o lowerdir=$directory,upperdir=$upper,workdir=$work overlay $directory
done
mount --move /run/cache "$2"
# Without the configuration and state of this machine's own libvirt.
mkdir -p /etc/libvirt /var/lib/libvirt
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/lib" /var/lib/libvirt
# libvirtd does not start without this user, although it is configured not to use it.
getent passwd libvirt-qemu >/dev/null || useradd --system --user-group libvirt-qemu
exec libvirtd --pid-file "$1/$3"
"""
"""The script that prepares a mount namespace and executes the daemon. $1: the bed's directory; $2: our cache; $3: the
name of the pid file in the first."""


class LibvirtBed:
    """A context manager: the daemon answers in its block, and everything is removed at its end."""

    def __init__(self) -> None:
        self.name = NAMES.new()
        self.directory = IMAGES.root / self.name
        """The directory with everything that belongs to the bed."""
        self._daemon: ProcessRecord | None = None

    def __enter__(self) -> "LibvirtBed":
        require_root()
        if reason := unusable():
            raise Unsupported(reason)
        require_space(IMAGES.root.parent, _BYTES, "libvirt's machines")
        watcher.watch(f"{__name__}:sweep_ended", IMAGES.root, NETNS_ROOT, mark=mark())
        try:
            for name in ("etc", "lib"):
                (self.directory / name).mkdir(parents=True)
            for name, text in _SETTINGS.items():
                (self.directory / "etc" / name).write_text(text)
            namespaces.create(self.name)
            self._start()
        except BaseException:
            remove(self.name)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove(self.name)

    @property
    def inside(self) -> tuple[str, ...]:
        """A prefix that runs a command in the namespaces of the daemon, in the directory `/`."""
        pid = str(self._daemon.pid) if self._daemon else ""
        return ("nsenter", f"--target={pid}", f"--net={NETNS_ROOT / self.name}", "--mount", "--")

    def virsh(self, *words: str) -> str:
        """Run virsh; its output. Raises LabError."""
        command = [*self.inside, "virsh", "--quiet", "--connect", "qemu:///system", *words]
        result = subprocess.run(
            command, check=False, capture_output=True, text=True, env=clean_environment(), timeout=_VIRSH_S
        )
        if result.returncode != 0:
            raise LabError(f"virsh {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout

    def networks(self) -> list[str]:
        return self.virsh("net-list", "--all", "--name").split()

    def domains(self) -> list[str]:
        return self.virsh("list", "--all", "--name").split()

    def volumes(self, pool: str = "default") -> list[str]:
        return [line.split()[0] for line in self.virsh("vol-list", pool).splitlines() if line.strip()]

    def processes(self) -> list[str]:
        """The programs that run in the bed besides the daemon: machines, and servers of their networks."""
        members = sweep.members_of_netns([NETNS_ROOT / self.name])
        pids = [record.pid for record in members if record != self._daemon]
        return sorted(Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids)

    def _start(self) -> None:
        log = self.directory / "libvirtd.log"
        command = ["unshare", "--mount", "sh", "-euc", _ENTER, "sh", str(self.directory), str(CACHE_ROOT), _PID]
        self._daemon = processes.start(command, log=log, env=clean_environment(), netns=NETNS_ROOT / self.name)
        socket = Path(f"/proc/{self._daemon.pid}/root", _SOCKET)
        for _ in processes.until(_START_S):
            if not processes.alive(self._daemon):
                raise StartFailed(f"libvirtd ended at once{processes.tail(log)}")
            if (self.directory / _PID).exists() and socket.exists():
                return
        raise StartFailed(f"libvirtd does not answer{processes.tail(log)}")


def sweep_ended() -> tuple[str, ...]:
    """Remove the beds of ended processes; the names of these beds."""
    return beds.sweep_ended(NAMES)


def unusable() -> str:
    """Why this machine cannot run libvirt; empty if it can."""
    if reason := qemu.unusable():
        return reason
    missing = [name for name in PROGRAMS if not shutil.which(name, path=clean_environment()["PATH"])]
    if not Path(PLUGIN).exists():
        missing.append("vagrant-libvirt")
    return f"needs {', '.join(missing)} (`sampan test --vm` installs what is missing)" if missing else ""
