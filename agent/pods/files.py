"""Files of pods on the node: hosts, resolv.conf, the containers' termination messages, the node's seccomp profiles.

Owns their content and place below the pod's directory. They are made before the containers that mount them and changed
in place: a container has mounted the inode and would not see a new file of the same name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from agent import resolvconf
from agent.model import ClusterDns, Container, Pod
from agent.pods.dns import Formed, is_the_hosts, resolv_conf
from agent.pods.errors import ContainerConfigError
from agent.pods.health import Health
from agent.pods.hosts import hosts_text, of_host, text_in_host_network
from agent.pods.interface import PodsConfig
from agent.pods.verdict import Verdict
from agent.runtime.containers import Mount
from agent.runtime.records import ContainerId
from agent.statuses import ContainerUser
from hull import atomicfile

_MAX_MESSAGE_BYTES: Final = 4096
_VERDICT: Final = "verdict.json"


class PodFiles:
    """The files of one pod."""

    def __init__(self, config: PodsConfig, directory: Path) -> None:
        self._config = config
        self._directory = directory

    def prepare(self, pod: Pod, dns: ClusterDns) -> Formed | None:
        """Make the files that containers mount; `write_hosts` fills the hosts file later.

        Returns the resolv.conf if it is new. Reads that of the host.
        """
        self._make_directory()
        etc = self._directory / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "hosts").touch()
        resolv = etc / "resolv.conf"
        if resolv.exists() or is_the_hosts(pod, dns):
            return None
        formed = resolv_conf(pod, dns, resolvconf.of_host(self._config.resolv_conf))
        # Atomically: an existing file is never written again.
        atomicfile.write(resolv, formed.conf.text, mode=0o644)
        return formed

    def _make_directory(self) -> None:
        # Volumes, and secrets among them, are for containers only, not for users of the node.
        self._directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory.mkdir(exist_ok=True)

    def write_hosts(self, pod: Pod, address: str, dns: ClusterDns) -> None:
        """Write the hosts file with the pod's own address and its aliases; in the host's network, with the host's.

        Raises ContainerConfigError if the host's file cannot be read.
        """
        hosts = self._directory / "etc" / "hosts"
        if pod.host_network:
            text = text_in_host_network(pod, of_host(self._config.host_root))
        else:
            text = hosts_text(pod, address, dns)
        hosts.parent.mkdir(parents=True, exist_ok=True)
        # Only if it changes: a container that reads it during the write could see an empty file.
        data = text.encode(errors="surrogateescape")
        if _beginning(hosts, len(data) + 1) != data:
            hosts.write_bytes(data)

    def mounts(self, pod: Pod, container: Container, attempt: int) -> list[Mount]:
        """The mounts of these files into a container, except at paths where the container mounts a volume."""
        own = {mount.mount_path.rstrip("/") for mount in container.volume_mounts}
        mounts = []
        # A pod in the host's network has the host's resolv.conf, unless its settings differ from that.
        etc = self._directory / "etc"
        mounts += [Mount(str(etc / name), f"/etc/{name}") for name in ("hosts", "resolv.conf") if (etc / name).exists()]
        if container.termination_message_path:
            file = self._message_file(container.name, attempt)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            # Any user of the container may write a message.
            file.chmod(0o666)
            mounts.append(Mount(str(file), container.termination_message_path))
        return [mount for mount in mounts if mount.target not in own]

    def termination_message(self, container: str, attempt: int) -> str:
        """The end of the container's termination message file, as in Kubernetes; empty if there is none."""
        try:
            with self._message_file(container, attempt).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_MESSAGE_BYTES))
                return file.read(_MAX_MESSAGE_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def write_message(self, container: str, attempt: int, text: bytes) -> None:
        """Make the text the termination message of an instance. Raises OSError."""
        file = self._message_file(container, attempt)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)

    def keep_verdict(self, verdict: Verdict) -> None:
        """Write down that the pod has ended. Raises OSError."""
        self._make_directory()
        atomicfile.write(self._directory / _VERDICT, verdict.encode())

    def verdict(self) -> Verdict | None:
        """The decision of this or an earlier agent that the pod has ended; None if there is none that can be read."""
        try:
            return Verdict.decode((self._directory / _VERDICT).read_bytes())
        except (OSError, ValueError):
            return None

    def mark_replaced(self, container: str, instance: ContainerId) -> None:
        """Remember, also for a later agent, that an instance is ended only to be replaced."""
        file = self._replaced_file(container, instance)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    def unmark_replaced(self, container: str, instance: ContainerId) -> None:
        """The instance is not replaced after all."""
        self._replaced_file(container, instance).unlink(missing_ok=True)

    def is_replaced(self, container: str, instance: ContainerId) -> bool:
        """Whether the instance was ended to be replaced."""
        return self._replaced_file(container, instance).exists()

    def keep_health(self, container: str, instance: ContainerId, health: Health) -> None:
        """Write down the health of an instance. Raises OSError."""
        file = self._health_file(container, instance)
        file.parent.mkdir(parents=True, exist_ok=True)
        atomicfile.write(file, health.encode(), durable=False)

    def health(self, container: str, instance: ContainerId) -> Health | None:
        """The health that an earlier agent wrote down; None if there is none that can be read."""
        try:
            return Health.decode(self._health_file(container, instance).read_bytes())
        except (OSError, ValueError):
            return None

    def keep_user(self, container: str, instance: ContainerId, user: ContainerUser) -> None:
        """Write down as which user an instance has started. Raises OSError."""
        file = self._user_file(container, instance)
        file.parent.mkdir(parents=True, exist_ok=True)
        atomicfile.write(file, json.dumps([user.uid, user.gid, user.groups]), durable=False)

    def user(self, container: str, instance: ContainerId) -> ContainerUser | None:
        """The user that was written down; None if there is none that can be read."""
        try:
            uid, gid, groups = json.loads(self._user_file(container, instance).read_bytes())
            return ContainerUser(int(uid), int(gid), tuple(map(int, groups)))
        except (OSError, TypeError, ValueError):
            return None

    def forget(self, container: str, attempt: int, instance: ContainerId) -> None:
        """Remove the files of an instance that is removed."""
        self._message_file(container, attempt).unlink(missing_ok=True)
        self.unmark_replaced(container, instance)
        self._health_file(container, instance).unlink(missing_ok=True)
        self._user_file(container, instance).unlink(missing_ok=True)

    def _user_file(self, container: str, instance: ContainerId) -> Path:
        return self._directory / "containers" / container / f"{instance}.user"

    def _health_file(self, container: str, instance: ContainerId) -> Path:
        return self._directory / "containers" / container / f"{instance}.health"

    def _message_file(self, container: str, attempt: int) -> Path:
        return self._directory / "containers" / container / f"{attempt}.end"

    def _replaced_file(self, container: str, instance: ContainerId) -> Path:
        return self._directory / "containers" / container / f"{instance}.replaced"


def _beginning(file: Path, size: int) -> bytes | None:
    """The first bytes: a container may have made the file longer than this machine's memory. None without a file."""
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except FileNotFoundError:
        return None


def seccomp_profile(directory: Path, name: str) -> str:
    """The content of the node's own profile at this path below the directory.

    Raises ContainerConfigError while it cannot be read: an administrator may still put it there.
    """
    try:
        return (directory / name).read_text()
    except (OSError, ValueError) as error:
        raise ContainerConfigError(f"seccomp profile {directory / name} cannot be read: {error}") from error
