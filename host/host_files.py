"""The files that a release needs on its host outside of its own directory: units, and snippets for network managers.

Each release says its own: whoever installs, upgrades or goes back asks the release that is to run
(`python -m host.host_files ROLE…` prints JSON), because the command that does it may be of another release. What
it prints is a contract between releases: fields may be added, and keep their meaning.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from host import release
from host.errors import HostError
from host.layout import ROLES, HostLayout, Role
from host.record import Recorder
from host.services import running, snippets
from host.services.units import unit_text
from host.system import System

_MODULES: Final = ("host.host_files", "cli.host.host_files")
"""The second name is the first release's; cli/host/host_files.py answers when such a release asks this one."""
_RELOAD_UNITS: Final = ("systemctl", "daemon-reload")


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file, and how its reader hears of it."""

    path: str
    """As the host sees it."""
    content: str
    reload: tuple[str, ...]
    """The command that has it read again."""
    reader: str = ""
    """The service that reads it: the command is for one that runs. Empty: systemd itself."""
    optional: bool = False
    """Somebody else's file in its place stays: who wrote it knows what this host needs. Any other one is refused."""


def wanted(layout: HostLayout, roles: Sequence[Role]) -> list[HostFile]:
    """What this release, the one whose code this is, needs for the roles on this host."""
    found = [HostFile(layout.seen(layout.unit(role)), unit_text(role, layout), _RELOAD_UNITS) for role in roles]
    if "agent" in roles:
        for name, snippet in snippets.needed(layout).items():
            found.append(HostFile(snippet.path, snippet.content, snippet.reload, f"{name}.service", optional=True))
    return found


def of_release(layout: HostLayout, system: System, name: str, roles: Sequence[Role]) -> list[HostFile]:
    """What an installed release needs for the roles, in its own words. Raises HostError."""
    packages = release.packages(layout, name)
    module = next((module for module in _MODULES if (packages / f"{module.replace('.', '/')}.py").exists()), "")
    if not module:
        return wanted(layout, roles)  # it is too old to be asked
    python = layout.releases / name / "bin/python"
    # Isolated: neither the current directory nor the environment of who calls us is to be imported from.
    said = system.run(str(python), "-I", "-m", module, *roles)
    try:
        found: list[dict[str, Any]] = json.loads(said)
        return [_parsed(each) for each in found]
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(f"release {name} does not say which files it needs: {error!r}") from error


def require_ours(found: Iterable[HostFile], recorder: Recorder) -> None:
    """Raise HostError where something of somebody else's is in the place of one that must be ours."""
    for each in found:
        if not each.optional:
            recorder.require_ours(recorder.layout.root / each.path.lstrip("/"))


def write(found: Iterable[HostFile], system: System, recorder: Recorder) -> list[str]:
    """Write the files and have their readers read them; remarks for people. Raises HostError, OSError."""
    written: list[HostFile] = []
    for each in found:
        path = recorder.layout.root / each.path.lstrip("/")
        if each.optional and os.path.lexists(path) and each.path not in recorder.record.files:
            continue
        recorder.directory(path.parent)
        recorder.file(path, each.content)
        written.append(each)
    # Also what was written already: an interrupted command may not have come to this.
    readers = dict.fromkeys((each.reader, each.reload) for each in written)
    return [line for reader, command in readers for line in _reload(system, reader, command)]


def drop_all_but(found: Iterable[HostFile], system: System, recorder: Recorder) -> list[str]:
    """Remove what another release needed and these files' does not; remarks for people."""
    layout = recorder.layout
    kept = {each.path for each in found} | {layout.seen(layout.config(role)) for role in ROLES}
    kept.add(layout.seen(layout.command))
    gone = [path for path in recorder.record.files if path not in kept]
    for path in gone:
        recorder.remove(path)
    return snippets.reload(system, gone)


def _reload(system: System, reader: str, command: Sequence[str]) -> list[str]:
    if reader:
        return running.reload_reader(system, reader, command)
    system.run(*command)
    return []


def _parsed(values: dict[str, Any]) -> HostFile:
    """Of a later release there may be more fields. Raises KeyError, TypeError."""
    return HostFile(
        path=str(values["path"]),
        content=str(values["content"]),
        reload=tuple(map(str, values["reload"])),
        reader=str(values.get("reader", "")),
        optional=bool(values.get("optional", False)),
    )


def main(argv: Sequence[str], layout: HostLayout | None = None) -> int:
    """Print what this release needs for the roles named."""
    roles = [role for role in ROLES if role in argv]
    try:
        print(json.dumps([asdict(each) for each in wanted(layout or HostLayout(), roles)]))
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
