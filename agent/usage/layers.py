"""Where the container engine keeps what a container writes: its layer of the image, and its log.

Found by the mounts of a process of the container (proc(5), mountinfo), because the engine is not asked: the option
`upperdir` of its root, and the source of /etc/hostname, beside which Docker keeps the log. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hull.mounts import unescaped

_UPPER: Final = re.compile(rb"(?:^|,)upperdir=((?:[^,\\]|\\.)*)")
_HOSTNAME: Final = "/etc/hostname"
_ROTATED: Final = 3
"""Files of one log that are left after rotations: the limit that containers get (agent/runtime/convert.py)."""


@dataclass(frozen=True, slots=True)
class Layers:
    """None: not known."""

    upper: Path | None = None
    logs: tuple[Path, ...] = ()


def layers(container: str, process: bytes, own: bytes) -> Layers:
    """The places of a container by the mountinfo of one of its processes, and our own."""
    upper = None
    logs: tuple[Path, ...] = ()
    for line in process.splitlines():
        fields = line.split(b" ")
        point = unescaped(fields[4])
        if point == "/" and (found := _UPPER.search(line.rpartition(b" ")[2])):
            upper = Path(unescaped(found[1]))
        elif point == _HOSTNAME and (source := _on_host(fields[2], unescaped(fields[3]), own)):
            logs = _logs(Path(source).parent.parent / container / f"{container}-json.log")
    return Layers(upper, logs)


def _logs(newest: Path) -> tuple[Path, ...]:
    older = (newest.with_name(f"{newest.name}.{number}") for number in range(1, _ROTATED))
    return (newest, *older)


def _on_host(device: bytes, path: str, own: bytes) -> str:
    """The path here of a path in a file system; empty if that part of the file system is not mounted here."""
    best = ("", "")
    for line in own.splitlines():
        fields = line.split(b" ")
        root, point = unescaped(fields[3]).rstrip("/"), unescaped(fields[4]).rstrip("/")
        if fields[2] == device and path.startswith(f"{root}/") and len(root) >= len(best[0]):
            best = (root, f"{point}{path[len(root) :]}")
    return best[1]
