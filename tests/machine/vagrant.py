"""`vagrant` as somebody on a host runs it: in a copy of vagrant/, whose host is a bed's namespace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab.environment import clean_environment
from lab.kubectl import Kubectl
from lab.layout import NETNS_ROOT
from lab.machine.recipe import HOST
from tests.machine.bed import Machine, MachineBed

ROOT = Path(__file__).resolve().parents[2]
SUBNET = "192.168.56.0/24"
_NAMES = ("master", "node1", "node2", "node3")
ADDRESSES = {name: f"192.168.56.{10 + index}" for index, name in enumerate(_NAMES)}


@dataclass
class Vagrant:
    """A directory with a Vagrantfile. `home` is Vagrant's own."""

    directory: Path
    home: Path
    on_the_host: tuple[str, ...]
    """What runs a command where the machines' networks are reached: on the host, that is."""
    settings: Mapping[str, str]
    """Environment variables that are the same for every command."""
    patience_s: float = 240.0
    """Bound of one command."""

    def copy_files(self) -> None:
        """The Vagrantfile beside the command of this checkout, as they lie in one."""
        shutil.copytree(
            ROOT / "vagrant", self.directory, ignore=shutil.ignore_patterns(".vagrant", "kubeconfig"), symlinks=True
        )
        (self.directory.parent / "sampan").symlink_to(ROOT / "sampan")

    def __call__(self, *words: str, **settings: str) -> str:
        """What it printed. An AssertionError with that when it fails."""
        done = self.tried(*words, **settings)
        assert done.returncode == 0, f"vagrant {' '.join(words)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def tried(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*words),
            env=self._environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=self.patience_s,
            check=False,
        )

    def interrupted(self, *words: str, at: str) -> int:
        """Its exit code, after Ctrl-C when it has printed that."""
        process = subprocess.Popen(
            self._command(*words),
            env=self._environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        with process:
            assert process.stdout is not None
            try:
                printed = next((line for line in process.stdout if at.encode() in line), None)
                assert printed is not None, f"it never said {at!r}"
                os.killpg(process.pid, signal.SIGINT)
                process.stdout.read()
                return process.wait(60)
            finally:
                process.kill()

    def _command(self, *words: str) -> list[str]:
        # A host may have a mount namespace of its own, in which nobody is where he was before.
        return [*self.on_the_host, "env", f"--chdir={self.directory}", "vagrant", *words]

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        usual = {
            "HOME": str(self.home),
            "VAGRANT_HOME": str(self.home / "vagrant"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "SAMPAN_SUBNET": SUBNET,
        }
        return clean_environment(**{**usual, **self.settings, **settings})

    def ssh(self, machine: str, command: str) -> str:
        """What a command printed on a machine, as a user asks."""
        return self("ssh", machine, "--no-tty", "-c", command)

    @property
    def kept(self) -> Path:
        return self.directory / ".vagrant/sampan"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def kubectl(self, binary: Path) -> Kubectl:
        return Kubectl(binary, self.kubeconfig, self.home, prefix=self.on_the_host)

    def fetch(self, url: str, *options: str) -> str:
        """What the host gets there, with more of curl's options; empty when nothing answers."""
        command = [*self.on_the_host, "curl", "--silent", "--fail", "--max-time", "5", *options, url]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False).stdout


class DockerVagrant(Vagrant):
    """Its machines are containers of a bed's engine. `bundle` keeps it from needing the Internet."""

    def __init__(self, directory: Path, home: Path, bed: MachineBed, bundle: Path) -> None:
        settings = {
            "DOCKER_HOST": f"unix://{bed.docker.socket}",
            "SAMPAN_PROVIDER": "docker",
            "SAMPAN_BOX": HOST.image,
            "SAMPAN_BUNDLE": str(bundle),
        }
        super().__init__(directory, home, ("nsenter", f"--net={NETNS_ROOT / bed.namespace}"), settings)
        self.docker = bed.docker

    def machine(self, name: str) -> Machine:
        """The machine itself, for whoever looks often: each run of `vagrant` takes seconds."""
        return Machine(self.machine_id(name), IPv4Address(ADDRESSES[name]), self.docker)

    def machine_id(self, name: str) -> str:
        """Docker's id of a machine."""
        return (self.directory / f".vagrant/machines/{name}/docker/id").read_text()
