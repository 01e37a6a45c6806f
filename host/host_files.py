"""The files that a release needs on its host outside of its own directory: units, snippets for network managers.

Each release lists its own: installing, upgrading and going back ask the release that is to run
(`python -m host.host_files ROLE…` prints JSON), because the command may be of another release. The output is a contract
between releases: fields may be added, and keep their meaning.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from host import completions, release
from host.errors import HostError
from host.layout import ROLES, HostLayout, Role
from host.record import Recorder
from host.services import running, snippets
from host.services.units import backup_units, unit_text
from host.system import System

_MODULES: Final = ("host.host_files", "cli.host.host_files")
"""The second name is the first release's: such a release has no other, and asks later ones by it (cli/host)."""
_RELOAD_UNITS: Final = ("systemctl", "daemon-reload")
_NOTHING: Final = ("true",)
"""Shells look at each start. The first release runs a command for every file."""


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file, and how its reader is made to read it."""

    path: str
    """As the host sees it."""
    content: str
    reload: tuple[str, ...]
    """The command that has it read again."""
    reader: str = ""
    """The service that reads the file; the command runs only while this service is up. Empty: systemd itself."""
    optional: bool = False
    """A foreign file at this path stays: its author knows what the host needs. If not optional, it is an error."""


def needed(layout: HostLayout, roles: Sequence[Role]) -> list[HostFile]:
    """The files that the roles on this host need from this release. Raises HostError."""
    needs = [HostFile(layout.seen(layout.unit(role)), unit_text(role, layout), _RELOAD_UNITS) for role in roles]
    if "master" in roles:
        needs += _needed_for_backups(layout)
    if "agent" in roles:
        for name, snippet in snippets.needed(layout).items():
            needs.append(HostFile(snippet.path, snippet.content, snippet.reload, f"{name}.service", optional=True))
    needs += [HostFile(path, text, _NOTHING, optional=True) for path, text in completions.scripts().items()]
    return needs


def _needed_for_backups(layout: HostLayout) -> list[HostFile]:
    texts = {layout.units / name: text for name, text in backup_units(layout).items()}
    if texts:
        # As it is: a release that does not know the file would remove it when it upgrades to this one.
        texts[layout.backup_config] = layout.backup_config.read_text()
    return [HostFile(layout.seen(path), text, _RELOAD_UNITS) for path, text in texts.items()]


def of_release(layout: HostLayout, system: System, name: str, roles: Sequence[Role]) -> list[HostFile]:
    """What an installed release needs for the roles, by its own answer. Raises HostError."""
    packages = release.packages(layout, name)
    module = next((module for module in _MODULES if (packages / f"{module.replace('.', '/')}.py").exists()), "")
    if not module:
        return needed(layout, roles)  # older than this question
    python = layout.releases / name / "bin/python"
    # Isolated: imports neither from the current directory nor by the caller's environment.
    output = system.run(str(python), "-I", "-m", module, *roles)
    try:
        answer: list[dict[str, Any]] = json.loads(output)
        return [_parsed(values) for values in answer]
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(f"release {name} does not say which files it needs: {error!r}") from error


def require_ours(host_files: Iterable[HostFile], recorder: Recorder) -> None:
    """Raise HostError where a foreign file is in the place of one that is not optional."""
    for file in host_files:
        if not file.optional:
            recorder.require_ours(recorder.layout.real(file.path))


def write(host_files: Iterable[HostFile], system: System, recorder: Recorder) -> list[str]:
    """Write the files and have their readers read them; remarks for people. Raises HostError, OSError."""
    written: list[HostFile] = []
    for file in host_files:
        path = recorder.layout.real(file.path)
        if file.optional and os.path.lexists(path) and file.path not in recorder.record.files:
            continue
        recorder.directory(path.parent)
        recorder.file(path, file.content)
        written.append(file)
    # For unchanged files as well: an interrupted command may have written them and got no further.
    readers = dict.fromkeys((file.reader, file.reload) for file in written)
    return [line for reader, command in readers for line in _reload(system, reader, command)]


def drop_all_but(host_files: Iterable[HostFile], system: System, recorder: Recorder) -> list[str]:
    """Remove what another release needed and is not among these files; remarks for people. Raises HostError, OSError.

    The caller writes these files afterwards, which has systemd read its units again.
    """
    layout = recorder.layout
    kept = {file.path for file in host_files} | {layout.seen(path) for path in (*layout.configs, layout.command)}
    return drop([path for path in recorder.record.files if path not in kept], system, recorder)


def drop(paths: Sequence[str], system: System, recorder: Recorder) -> list[str]:
    """Remove these files of the record, and stop the units among them; as `drop_all_but`."""
    for path in paths:
        if recorder.layout.real(path).parent == recorder.layout.units:
            running.stop(system, recorder.layout.real(path).name)
        recorder.remove(path)
    return snippets.reload(system, paths)


def _reload(system: System, reader: str, command: Sequence[str]) -> list[str]:
    if reader:
        return running.reload_reader(system, reader, command)
    system.run(*command)
    return []


def _parsed(values: dict[str, Any]) -> HostFile:
    """Fields that a later release has added are ignored. Raises KeyError, TypeError."""
    return HostFile(
        path=str(values["path"]),
        content=str(values["content"]),
        reload=tuple(map(str, values["reload"])),
        reader=str(values.get("reader", "")),
        optional=bool(values.get("optional", False)),
    )


def main(argv: Sequence[str], layout: HostLayout | None = None) -> int:
    """Print what this release needs for the roles among the arguments."""
    roles = [role for role in ROLES if role in argv]
    try:
        print(json.dumps([asdict(file) for file in needed(layout or HostLayout(), roles)]))
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
