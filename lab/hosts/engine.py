"""The container engine of one host: a containerd and a dockerd of its own, in the host's network namespace.

Owns their configuration, start, readiness and complete removal. Each engine has its own containerd, as engines that
share one see each other's containers. The machine's own Docker is never touched, nor is its configuration read.
"""

import json
import re
import signal
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hull import processes, sweep
from hull.errors import StartFailed
from hull.processes import ProcessRecord
from lab.environment import clean_environment
from lab.errors import Unusable
from lab.hosts import engine_api
from lab.layout import HostPaths

READY_TIMEOUT_S = 20.0
_SHIM_SOCKETS = Path("/run/containerd/s")
"""containerd puts the sockets of its shims here, whatever its state directory is."""
_PLUGIN_SOCKETS = Path("/run/docker/plugins")
"""dockerd makes this directory, whatever its exec root is."""


@dataclass(frozen=True, slots=True)
class EngineProcesses:
    """The two daemons of an engine; either may have ended."""

    containerd: ProcessRecord
    dockerd: ProcessRecord


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of one host. `mirror` is the registry's host:port on the underlay."""

    paths: HostPaths
    cgroup_parent: str
    mirror: str
    bridge: str = ""
    """Address and prefix of Docker's default bridge, whose published ports a proxy serves; empty: no bridge."""

    def start(self) -> EngineProcesses:
        """Start both daemons and return at once, so that several engines can start together; then call `wait_ready`.

        The daemons start side by side too, as dockerd waits for containerd's socket itself.
        """
        for directory in (self.paths.engine, self.paths.logs):
            directory.mkdir(parents=True, exist_ok=True)
        for config in (self._dockerd_config, self._containerd_config):
            sweep.end_unrecorded(self.paths.netns, config)
        self._containerd_socket.unlink(missing_ok=True)
        self.paths.engine_socket.unlink(missing_ok=True)
        self._dockerd_pidfile.unlink(missing_ok=True)
        self._containerd_config.write_text(self._containerd_toml())
        self._dockerd_config.write_text(json.dumps(self._dockerd_settings(), indent=2))
        environment = clean_environment(HOME=str(self.paths.engine))
        containerd = processes.start(
            ["containerd", "--config", str(self._containerd_config)],
            log=self.paths.logs / "containerd.log",
            env=environment,
            netns=self.paths.netns,
        )
        dockerd = processes.start(
            ["dockerd", "--config-file", str(self._dockerd_config)],
            log=self.paths.logs / "dockerd.log",
            env=environment,
            netns=self.paths.netns,
        )
        return EngineProcesses(containerd, dockerd)

    def wait_ready(self, running: EngineProcesses, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return when the engine answers on its socket. Raises StartFailed if a daemon ends before."""
        for _ in processes.until(timeout_s):
            if self.answers():
                return
            for name, record in (("containerd", running.containerd), ("dockerd", running.dockerd)):
                if not processes.alive(record):
                    raise StartFailed(f"{name} ended at start-up{processes.tail(self.paths.logs / f'{name}.log')}")
        log = self.paths.logs / "dockerd.log"
        raise StartFailed(f"the engine does not answer after {timeout_s:.0f} s{processes.tail(log)}")

    def answers(self) -> bool:
        """Whether the engine answers on its socket."""
        return engine_api.answers(self.paths.engine_socket)

    def stop(self, running: EngineProcesses) -> None:
        """End containers, daemons and shims. Images and the records of containers stay for the next start.

        The containers are killed first, because dockerd's own stop waits for the grace period of each.
        """
        sweep.kill_all(sweep.members_of_cgroup(self.cgroup_parent))
        processes.stop(running.dockerd, timeout_s=8.0)
        processes.stop(running.containerd, timeout_s=4.0)
        self.clean()

    def kill(self, running: EngineProcesses) -> None:
        """SIGKILL both daemons. Containers and their shims keep running, as after a crash of the engine."""
        processes.send(running.dockerd, signal.SIGKILL)
        processes.kill(running.containerd)
        processes.kill(running.dockerd)

    @property
    def was_started(self) -> bool:
        """Whether this engine was ever started on its host."""
        return self._dockerd_config.exists()

    @property
    def runtime_directories(self) -> tuple[Path, ...]:
        """The engine's directories that a real host has below /run, in memory: a power loss empties them."""
        return (self.paths.engine / "containerd-state", self.paths.engine / "exec")

    def clean(self) -> None:
        """Remove what ended daemons leave: shims, their sockets, mounts and cgroups. Idempotent."""
        sockets = self._shim_sockets()
        sweep.kill_all(self._shims())
        for path in sockets:
            path.unlink(missing_ok=True)
        sweep.kill_all(sweep.members_of_cgroup(self.cgroup_parent))
        sweep.unmount_below(self.paths.engine)
        sweep.remove_cgroup(self.cgroup_parent)

    def _shims(self) -> list[ProcessRecord]:
        """Shims run in the host's namespace and have their containerd's socket on their command line."""
        address = str(self._containerd_socket).encode()
        shims = []
        for record in sweep.members_of_netns([self.paths.netns]):
            try:
                arguments = Path(f"/proc/{record.pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if address in arguments and arguments[0].rpartition(b"/")[2].startswith(b"containerd-shim"):
                shims.append(record)
        return shims

    def _shim_sockets(self) -> list[Path]:
        """Sockets of this engine's shims, from the address files in their bundles."""
        sockets = []
        for address in (self.paths.engine / "containerd-state").glob("io.containerd.runtime.v2.task/*/*/address"):
            target = Path(address.read_text().strip().removeprefix("unix://"))
            if target.parent == _SHIM_SOCKETS:
                sockets.append(target)
        return sockets

    @property
    def _containerd_socket(self) -> Path:
        return self.paths.engine / "containerd.sock"

    @property
    def _containerd_config(self) -> Path:
        return self.paths.engine / "containerd.toml"

    @property
    def _dockerd_config(self) -> Path:
        return self.paths.engine / "daemon.json"

    @property
    def _dockerd_pidfile(self) -> Path:
        return self.paths.engine / "dockerd.pid"

    def _containerd_toml(self) -> str:
        """Without the plugins that are not needed; `opt` would make /opt/containerd on the machine."""
        return "\n".join(
            [
                "version = 2",
                f'root = "{self.paths.engine}/containerd"',
                f'state = "{self.paths.engine}/containerd-state"',
                'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",',
                '  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",',
                '  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]',
                "[grpc]",
                f'  address = "{self._containerd_socket}"',
                "",
            ]
        )

    def _dockerd_settings(self) -> dict[str, object]:
        """No rules, no forwarding, usually no bridge: the agent alone sets up the network of pods."""
        engine = self.paths.engine
        settings: dict[str, object] = {
            "hosts": [f"unix://{self.paths.engine_socket}"],
            "containerd": str(self._containerd_socket),
            "data-root": f"{engine}/data",
            "exec-root": f"{engine}/exec",
            "pidfile": str(self._dockerd_pidfile),
            **({"bip": self.bridge} if self.bridge else {"bridge": "none"}),
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "ip-masq": False,
            "userland-proxy": bool(self.bridge),
            "registry-mirrors": [f"http://{self.mirror}"],
            "insecure-registries": [self.mirror],
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": self.cgroup_parent,
            "storage-driver": "overlay2",
            "max-concurrent-downloads": 6,
        }
        if self.bridge:
            # No route leads out. A resolver here refuses at once, where an unreachable one would cost ten seconds.
            settings["dns"] = ["127.0.0.1"]
        if _engine_major() < 24:
            # Otherwise the key is written to /etc/docker. Newer engines have neither the key nor the option.
            settings["deprecated-key-path"] = f"{engine}/key.json"
        return settings


def remove_shared_directories() -> None:
    """Remove the directories that daemons make outside their roots, if no other engine uses them."""
    for path in (_SHIM_SOCKETS, _SHIM_SOCKETS.parent):
        _remove_if_empty(path)
    if _PLUGIN_SOCKETS.is_dir() and [path.name for path in _PLUGIN_SOCKETS.parent.iterdir()] == [_PLUGIN_SOCKETS.name]:
        _remove_if_empty(_PLUGIN_SOCKETS)
        _remove_if_empty(_PLUGIN_SOCKETS.parent)


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return  # used by another engine, or absent


@cache
def _engine_major() -> int:
    """Major version of the dockerd on the PATH."""
    try:
        answer = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unusable(f"no usable dockerd on this machine: {error}") from error
    match = re.search(r"version (\d+)\.", answer.stdout)
    if match is None:
        raise Unusable(f"cannot read dockerd's version from {answer.stdout.strip()!r}")
    return int(match[1])
