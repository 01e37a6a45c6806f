"""Logs and network state of hosts for a report: of all hosts of a lab, or of the host that the command runs on."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lab.cluster import Cluster

COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "iptables": ("iptables-save", "-c"),
    "iptables-legacy": ("iptables-legacy-save", "-c"),
    "nftables": ("nft", "list", "ruleset"),
    "addresses": ("ip", "-d", "address"),
    "links": ("ip", "-d", "-s", "link"),
    "routes": ("ip", "route", "show", "table", "all"),
    "rules": ("ip", "rule"),
    "neighbours": ("ip", "neighbour"),
    "forwarding": ("bridge", "fdb"),
    "sockets": ("ss", "-lntup"),
}
"""File → a command that shows a part of a host's network."""
_LOG_BYTES: Final = 10 << 20
"""The end of each log."""
_LOG_LINES: Final = 50_000
_TIMEOUT_S: Final = 30.0

Run = Callable[[Sequence[str]], str]
"""Runs a command; its output, or why it could not run."""


def of_lab(cluster: "Cluster") -> Iterator[tuple[str, bytes]]:
    """Files of all hosts of a lab."""
    for host in cluster.lab.state.hosts:
        yield from _network(f"hosts/{host.name}", _inside(cluster, host.name))
        for log in sorted(cluster.lab.host_paths(host.name).logs.glob("*.log")):
            yield f"hosts/{host.name}/{log.name}", _end(log)


def of_this_host() -> Iterator[tuple[str, bytes]]:
    """Files of this host, if something of ours is installed on it."""
    from host.layout import ROLES, HostLayout, unit_name
    from hull.programs import run
    from hull.systemd import Unit

    layout = HostLayout()
    roles = [role for role in ROLES if layout.config(role).exists()]
    if not roles:
        return
    where = f"hosts/{platform.node()}"
    yield from _network(where, _here)
    for role in roles:
        lines = Unit(unit_name(role), run).journal(_LOG_LINES)
        yield f"{where}/{role}.log", "\n".join(lines).encode()[-_LOG_BYTES:]


def _network(where: str, run: Run) -> Iterator[tuple[str, bytes]]:
    for name, command in COMMANDS.items():
        yield f"{where}/network/{name}.txt", run(command).encode()


def _inside(cluster: "Cluster", host: str) -> Run:
    """Runs commands in a host of a lab."""
    import subprocess

    def run(command: Sequence[str]) -> str:
        try:
            done = cluster.host(host).run(command, check=False, timeout_s=_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{command[0]}: {error}\n"
        return done.stdout + done.stderr

    return run


def _here(command: Sequence[str]) -> str:
    from hull.errors import HullError
    from hull.programs import finished

    try:
        done = finished(*command, timeout_s=_TIMEOUT_S)
    except HullError as error:
        return f"{error}\n"
    return done.stdout + done.stderr


def _end(log: Path) -> bytes:
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _LOG_BYTES))
        return file.read()
