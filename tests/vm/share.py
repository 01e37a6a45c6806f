"""A share of a real NFS server on one of the virtual machines, and a network that loses everything to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.vm.api import Document
from tests.vm.bed import VirtualMachine

PATH: Final = "/srv/share"
# A server that has just been started answers nothing new until its clients could have claimed their old files.
_SETTINGS: Final = "[nfsd]\ngrace-time=10\nlease-time=10\n"
_EXPORT: Final = f"{PATH} *(rw,no_root_squash,no_subtree_check)\n"
_HANG: Final = "table inet hang { chain input { type filter hook input priority -300; tcp dport 2049 drop; }; }"


class Share:
    """A directory of the machine, which is exported."""

    def __init__(self, server: VirtualMachine) -> None:
        self._server = server
        server.run("mkdir", "-p", PATH)
        server.write("/etc/nfs.conf.d/test.conf", _SETTINGS.encode())
        server.write("/etc/exports", _EXPORT.encode())
        server.run("systemctl", "start", "nfs-server", timeout_s=60)

    @property
    def name(self) -> str:
        """The share as events name it."""
        return f"{self._server.address}:{PATH}"

    def volume(self, name: str) -> Document:
        """A volume of a pod that is this share."""
        return {"name": name, "nfs": {"server": str(self._server.address), "path": PATH}}

    def read(self, path: str) -> str:
        """The content of a file, as the server sees it."""
        return self._server.output("cat", f"{PATH}/{path}")

    @contextmanager
    def hangs(self) -> Iterator[None]:
        """Within this block, the server does not answer."""
        self._server.run("nft", _HANG)
        try:
            yield
        finally:
            self._server.run("nft", "delete table inet hang")

    def stop(self) -> None:
        self._server.run("systemctl", "stop", "nfs-server", timeout_s=60)
