"""Files that tell the managers of the host's network to leave the agent's links alone.

Owns their text, where they lie, and how the manager hears of them. `sampan install agent` writes those whose manager
is on the host, running or not; `sampan check` prints those that are missing. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cli.host.layout import HostLayout
    from cli.host.record import Recorder
    from cli.host.system import System


@dataclass(frozen=True, slots=True)
class Snippet:
    """A file that tells a manager to leave our links alone, and how the manager reads it."""

    path: str
    content: str
    reload: tuple[str, ...]
    """The command; a manager that does not run needs none."""
    program: str
    """The manager's own: where it is, the manager is."""


SNIPPETS: Final[Mapping[str, Snippet]] = {
    "NetworkManager": Snippet(
        "/etc/NetworkManager/conf.d/sampan.conf",
        "# The agent of Sampan looks after its links itself.\n"
        "[keyfile]\nunmanaged-devices+=interface-name:sampan.vxlan;interface-name:sp????????????\n",
        ("nmcli", "general", "reload"),
        "usr/sbin/NetworkManager",
    ),
    "systemd-networkd": Snippet(
        "/etc/systemd/network/05-sampan.network",
        "# The agent of Sampan looks after its links itself.\n"
        "[Match]\nName=sampan.vxlan sp????????????\n\n[Link]\nUnmanaged=yes\n",
        ("networkctl", "reload"),
        "usr/lib/systemd/systemd-networkd",
    ),
}


def write(layout: HostLayout, system: System, recorder: Recorder) -> list[str]:
    """Write the snippets of the managers that are here, and have those that run read them; remarks for people.

    A file of somebody else's in a snippet's place stays: who wrote it knows what this host needs.
    """
    said: list[str] = []
    for name, snippet in SNIPPETS.items():
        path = _there(layout, snippet)
        known = snippet.path in recorder.record.files
        if not (layout.root / snippet.program).exists() or (os.path.lexists(path) and not known):
            continue
        recorder.directory(path.parent)
        recorder.file(path, snippet.content)
        # Also when it was written already: an interrupted command may not have come to this.
        said += _reload(name, snippet, system)
    return said


def reload(system: System, paths: Collection[str]) -> list[str]:
    """Have managers read their files again after these were removed; remarks for people."""
    return [line for name, each in SNIPPETS.items() if each.path in paths for line in _reload(name, each, system)]


def _reload(name: str, snippet: Snippet, system: System) -> list[str]:
    command = snippet.reload
    if system.succeeds("systemctl", "--quiet", "is-active", f"{name}.service") and not system.succeeds(*command):
        return [f"{name} does not read its files again: run `{' '.join(command)}` when it does"]
    return []


def _there(layout: HostLayout, snippet: Snippet) -> Path:
    return layout.root / snippet.path.lstrip("/")
