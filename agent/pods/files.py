"""Files that every pod has on the node: hosts, resolv.conf, and where containers leave their last words.

Owns their form and place below the pod's directory. They are made before the containers that mount them, and written
in place: a mounted file is an inode, and a new file of the same name would be seen by nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.model import Container, Pod
from agent.pods.ports import PodsConfig
from agent.runtime.interface import Mount
from hull import atomicfile

_HOSTS_HEAD: Final = """\
# Managed by sampan.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
_LAST_WORDS_BYTES: Final = 4096


class PodFiles:
    """Files of one pod, below its directory."""

    def __init__(self, config: PodsConfig, directory: Path) -> None:
        self._config = config
        self._directory = directory

    def prepare(self, pod: Pod) -> None:
        """Makes what containers mount; the hosts file's address comes later."""
        # What is in secrets' and other volumes is for containers, not for users of the node.
        self._directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        etc = self._directory / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        if pod.host_network:
            return
        (etc / "hosts").touch()
        resolv = etc / "resolv.conf"
        if not resolv.exists():
            source = self._config.resolv_conf
            # Whole or not at all: it is not looked at again.
            atomicfile.write(resolv, source.read_text() if source.is_file() else "", mode=0o644)

    def write_hosts(self, pod: Pod, address: str) -> None:
        """The hosts file, with the pod's own address and its aliases."""
        if pod.host_network:
            return
        hosts, text = self._directory / "etc" / "hosts", hosts_text(pod, address)
        hosts.parent.mkdir(parents=True, exist_ok=True)
        # Not when nothing changes: a container that reads it now must not find it empty.
        if not hosts.is_file() or hosts.read_text() != text:
            hosts.write_text(text)

    def mounts(self, pod: Pod, container: Container, attempt: int) -> list[Mount]:
        """What a container mounts beside its volumes; a path that the container mounts itself is left to it."""
        own = {each.mount_path.rstrip("/") for each in container.volume_mounts}
        mounts = []
        if not pod.host_network:
            etc = self._directory / "etc"
            mounts += [Mount(str(etc / name), f"/etc/{name}") for name in ("hosts", "resolv.conf")]
        if container.termination_message_path:
            file = self._last_words(container.name, attempt)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            # Whoever the container runs as may leave a message.
            file.chmod(0o666)
            mounts.append(Mount(str(file), container.termination_message_path))
        return [each for each in mounts if each.target not in own]

    def last_words(self, container: str, attempt: int) -> str:
        """What the container left in its termination message file; empty when nothing."""
        try:
            with self._last_words(container, attempt).open("rb") as file:
                return file.read(_LAST_WORDS_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def forget(self, container: str, attempt: int) -> None:
        """The instance is removed."""
        self._last_words(container, attempt).unlink(missing_ok=True)

    def _last_words(self, container: str, attempt: int) -> Path:
        return self._directory / "containers" / container / f"{attempt}.end"


def hosts_text(pod: Pod, address: str) -> str:
    """The content of a pod's hosts file."""
    lines = [f"{address}\t{pod.hostname or pod.name}"] if address else []
    lines += [f"{alias.ip}\t{' '.join(alias.hostnames)}" for alias in pod.host_aliases]
    return _HOSTS_HEAD + "".join(f"{line}\n" for line in lines)
