"""Runs `vagrant` as a user on a host does: in a copy of vagrant/, with a bed's network namespace as the host."""

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
    """A directory with a Vagrantfile. `home` is the home directory of Vagrant's user."""

    directory: Path
    home: Path
    on_the_host: tuple[str, ...]
    """Prefix of commands that run on the host, from where the machines' networks are reachable."""
    settings: Mapping[str, str]
    """Environment variables that are the same for every command."""
    patience_s: float = 240.0
    """The time limit of one command."""

    def copy_files(self) -> None:
        """Copy the Vagrantfile's directory, with a link to the command beside it, as in a checkout."""
        shutil.copytree(
            ROOT / "vagrant", self.directory, ignore=shutil.ignore_patterns(".vagrant", "kubeconfig"), symlinks=True
        )
        (self.directory.parent / "sampan").symlink_to(ROOT / "sampan")

    def __call__(self, *words: str, **settings: str) -> str:
        """Run a command; its output. Raises AssertionError with the output if it fails."""
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
        """Run a command and interrupt it by Ctrl-C when it prints `at`; its exit code."""
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
                assert printed is not None, f"it never printed {at!r}"
                os.killpg(process.pid, signal.SIGINT)
                process.stdout.read()
                return process.wait(60)
            finally:
                process.kill()

    def _command(self, *words: str) -> list[str]:
        # Entering the mount namespace of a host changes the working directory.
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
        """The output of a command on a machine, run by `vagrant ssh`."""
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
        """The body that curl on the host gets from the URL, with these options; empty if there is no answer."""
        command = [*self.on_the_host, "curl", "--silent", "--fail", "--max-time", "5", *options, url]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False).stdout


class DockerVagrant(Vagrant):
    """Vagrant whose machines are containers of a bed's engine. With `bundle` it does not need the Internet."""

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
        """The machine, for direct access, because each run of `vagrant` takes seconds."""
        return Machine(self.machine_id(name), IPv4Address(ADDRESSES[name]), self.docker)

    def machine_id(self, name: str) -> str:
        """Docker's id of a machine."""
        return (self.directory / f".vagrant/machines/{name}/docker/id").read_text()
