"""The group that owns a pod's volumes (fsGroup): ownership and modes, by the kubelet's rules.

Only for what the agent makes itself. Host paths belong to the node and stay as they are, as in Kubernetes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

READABLE: Final = 0o440
"""What the owner and the group may at least do with a file of a read-only volume."""
WRITABLE: Final = 0o660
"""The same for a writable volume."""
_SEARCHABLE: Final = 0o110


def give_to(path: Path, group: int, least: int) -> None:
    """Give a file or directory to the group, with at least the permissions `least`. Raises OSError.

    What is created in such a directory belongs to the group too (setgid).
    """
    os.chown(path, -1, group, follow_symlinks=False)
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return
    more = least | (stat.S_ISGID | _SEARCHABLE if stat.S_ISDIR(mode) else 0)
    # After chown, which clears the setgid bit.
    path.chmod(stat.S_IMODE(mode) | more)
