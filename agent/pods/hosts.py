"""The content of a pod's hosts file, as the kubelet writes it: names of loopback, the pod's own names, its aliases.

A pod in the host's network has the host's file with its aliases. Pure functions, apart from reading that file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from agent.model import ClusterDns, Pod
from agent.pods.dns import full_name, hostname
from agent.pods.errors import ContainerConfigError

_HEAD: Final = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
_MOST_BYTES: Final = 16 << 20
_HEAD_OF_HOST: Final = "# Kubernetes-managed hosts file (host network).\n"
_HEAD_OF_ALIASES: Final = "\n# Entries added by HostAliases.\n"


def hosts_text(pod: Pod, address: str, dns: ClusterDns) -> str:
    """The hosts file of a pod with a network of its own."""
    names = "\t".join(filter(None, (full_name(pod, dns), hostname(pod))))
    own = f"{address}\t{names}\n" if address else ""
    return _HEAD + own + _aliases(pod)


def text_in_host_network(pod: Pod, host: str) -> str:
    """The hosts file of a pod in the host's network. `host`: the content of the host's file."""
    # The kubelet does not add the line break; without it, a head would become part of the host's last line.
    ended = host if not host or host.endswith("\n") else f"{host}\n"
    return _HEAD_OF_HOST + ended + _aliases(pod)


def of_host(root: Path) -> str:
    """The file `etc/hosts` of the host whose file system is below `root`; empty if there is none.

    Raises ContainerConfigError for a file that cannot be read, and for a link that leads out: pods may change files of
    the host, but other files of the machine are not theirs. A pipe in its place must not stop the agent either.
    """
    path = (root / "etc" / "hosts").resolve()
    if not path.is_relative_to(root.resolve()):
        raise ContainerConfigError(f"/etc/hosts of the node leads out of {root}")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                raise ContainerConfigError("/etc/hosts of the node cannot be read: not a file, or too long")
            return os.read(descriptor, _MOST_BYTES).decode(errors="surrogateescape")
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ContainerConfigError(f"/etc/hosts of the node cannot be read: {error}") from error


def _aliases(pod: Pod) -> str:
    if not pod.host_aliases:
        return ""
    names = ("\t".join((alias.ip, *alias.hostnames)) for alias in pod.host_aliases)
    return _HEAD_OF_ALIASES + "".join(f"{line}\n" for line in names)
