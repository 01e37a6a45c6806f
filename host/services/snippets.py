"""Files that tell the managers of the host's network to leave the agent's links alone.

Owns their text, where they lie, and how the manager hears of them. `sampan install agent` has those whose manager is on
the host written (host_files.py); `sampan check` prints those that are missing. Standard library only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from host.services import running

if TYPE_CHECKING:
    from host.layout import HostLayout
    from host.system import System


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


def needed(layout: HostLayout) -> dict[str, Snippet]:
    """Those of the managers that are on the host, running or not, by the manager's name."""
    return {name: each for name, each in SNIPPETS.items() if (layout.root / each.program).exists()}


def reload(system: System, paths: Collection[str]) -> list[str]:
    """Have managers read their files again after these were removed; remarks for people."""
    removed = {name: snippet for name, snippet in SNIPPETS.items() if snippet.path in paths}
    remarks = (running.reload_reader(system, f"{name}.service", snippet.reload) for name, snippet in removed.items())
    return [line for lines in remarks for line in lines]
