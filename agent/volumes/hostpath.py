"""hostPath: a path on the node, below the configured root.

Owns the checks of HostPathType. Never removes anything, as the path belongs to the node.
"""

from __future__ import annotations

from pathlib import Path

from agent.model import HostPath
from agent.volumes.errors import VolumeError
from agent.volumes.interface import VolumeContext


class HostPathKind:
    """The kind hostPath. Paths are relative to `root` ("/" unless hosts share a machine)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self, source: HostPath, context: VolumeContext) -> Path:
        relative = source.path.lstrip("/")
        if ".." in Path(relative).parts:
            raise VolumeError(f'volume "{context.name}": hostPath "{source.path}" must not contain ".."')
        root = self._root.resolve()
        # A pod may have made a symbolic link in a directory that it mounts: check where it leads.
        path = (root / relative).resolve()
        if not path.is_relative_to(root):
            raise VolumeError(f'volume "{context.name}": hostPath "{source.path}" leads out of {self._root}')
        self._make(source, path)
        self._check(source, path, context.name)
        return path

    def _make(self, source: HostPath, path: Path) -> None:
        """Create the path if the type says so; without a type a directory, as Docker does."""
        if path.exists() or source.type not in ("", "DirectoryOrCreate", "FileOrCreate"):
            return
        try:
            if source.type == "FileOrCreate":
                # Only the file, as in Kubernetes: its directory must exist.
                path.touch(mode=0o644)
            else:
                path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise VolumeError(f'hostPath "{source.path}" cannot be created: {error}') from error

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
            raise VolumeError(f'volume "{name}": hostPath type "{source.type}" is not supported')
        if not check():
            expected = source.type.removesuffix("OrCreate").lower()
            raise VolumeError(f'volume "{name}": hostPath type check failed: "{source.path}" is not a {expected}')
