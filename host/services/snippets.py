"""Snippets of configuration that make the managers of the host's network leave the agent's links alone.

Owns their texts, paths, and the commands that have them read. `sampan install agent` writes those whose manager is on
the host (host_files.py); `sampan check` prints those that are missing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from host.layout import HostLayout
from host.services import running
from host.system import System


@dataclass(frozen=True, slots=True)
class Snippet:
    """A file that makes a manager leave our links alone."""

    path: str
    content: str
    reload: tuple[str, ...]
    """The command that has it read; only a manager that is up needs it."""
    program: str
    """The manager's program, relative to the root: where it exists, the manager is installed."""


SNIPPETS: Final[Mapping[str, Snippet]] = {
    "NetworkManager": Snippet(
        "/etc/NetworkManager/conf.d/sampan.conf",
        "# The agent of Sampan manages its links itself.\n"
        "[keyfile]\nunmanaged-devices+=interface-name:sampan.vxlan;interface-name:sp????????????\n",
        ("nmcli", "general", "reload"),
        "usr/sbin/NetworkManager",
    ),
    "systemd-networkd": Snippet(
        "/etc/systemd/network/05-sampan.network",
        "# The agent of Sampan manages its links itself.\n"
        "[Match]\nName=sampan.vxlan sp????????????\n\n[Link]\nUnmanaged=yes\n",
        ("networkctl", "reload"),
        "usr/lib/systemd/systemd-networkd",
    ),
}


def needed(layout: HostLayout) -> dict[str, Snippet]:
    """Those of the managers that are installed on the host, up or not, by the manager's name."""
    return {name: snippet for name, snippet in SNIPPETS.items() if (layout.root / snippet.program).exists()}


def reload(system: System, paths: Collection[str]) -> list[str]:
    """Have managers read their files again after these paths were removed; remarks for people."""
    removed = {name: snippet for name, snippet in SNIPPETS.items() if snippet.path in paths}
    remarks = (running.reload_reader(system, f"{name}.service", snippet.reload) for name, snippet in removed.items())
    return [line for lines in remarks for line in lines]
