"""hostPath: a path of the node, below the configured root.

Owns the checks of HostPathType. Never removes anything: what is there is the node's.
"""

from __future__ import annotations

from pathlib import Path

from agent.model import HostPath
from agent.volumes.errors import VolumeError
from agent.volumes.interface import VolumeContext


class HostPathKind:
    """Paths resolve below `root` ("/" on a host of its own)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self, source: HostPath, context: VolumeContext) -> Path:
        relative = source.path.lstrip("/")
        if ".." in Path(relative).parts:
            raise VolumeError(f'volume "{context.name}": hostPath "{source.path}" must not contain ".."')
        root = self._root.resolve()
        # A pod may have left a link to anywhere in a directory that it mounts: what counts is where it leads.
        path = (root / relative).resolve()
        if not path.is_relative_to(root):
            raise VolumeError(f'volume "{context.name}": hostPath "{source.path}" leads out of {self._root}')
        self._make(source, path)
        self._check(source, path, context.name)
        return path

    def _make(self, source: HostPath, path: Path) -> None:
        """What the type says to make; no type means a directory, as Docker does."""
        if path.exists() or source.type not in ("", "DirectoryOrCreate", "FileOrCreate"):
            return
        try:
            if source.type == "FileOrCreate":
                # The file only, as Kubernetes does: its directory must be there.
                path.touch(mode=0o644)
            else:
                path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise VolumeError(f'hostPath "{source.path}" cannot be made: {error}') from error

    def _check(self, source: HostPath, path: Path, name: str) -> None:
        checks = {
            "Directory": path.is_dir,
            "DirectoryOrCreate": path.is_dir,
            "File": path.is_file,
            "FileOrCreate": path.is_file,
            "Socket": path.is_socket,
            "CharDevice": path.is_char_device,
            "BlockDevice": path.is_block_device,
        }
        if source.type == "":
            return
        check = checks.get(source.type)
        if check is None:
            raise VolumeError(f'volume "{name}": hostPath type "{source.type}" is not known')
        if not check():
            wanted = source.type.removesuffix("OrCreate").lower()
            raise VolumeError(f'volume "{name}": hostPath type check failed: "{source.path}" is not a {wanted}')
