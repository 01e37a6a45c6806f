"""Regular backups of an installed master: the administrator's choice, in /etc/sampan/backup.toml.

`sampan install master --backup-dir …` writes the file; after an edit by hand `sampan install master` applies it. With
the file, units.py adds a service that makes one backup, and a timer that starts it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from host.errors import HostError, WrongUse
from host.layout import HostLayout
from host.services import configured
from hull import settings
from hull.errors import SettingsError

Given = Mapping[str, str | int]
"""Options by the names of Backups' fields; an empty directory means no backups."""

_HEADER: Final = "# Written by `sampan install`. After a change: `sampan install master` applies it.\n"
_BACKUP: Final = re.compile(r"\.?sampan-[0-9]{8}T[0-9]{6}Z\.tar(\.new)?")
"""What `sampan backup DIR/` writes there (master/backup_directory.py), complete or not."""
_CALENDAR: Final = re.compile(r"[-\w*:,./~+ ]+", re.ASCII)
"""The characters of calendar events; `systemd-analyze calendar` knows the rest."""
_OF_FILE_SYSTEMS: Final = "lost+found"


@dataclass(frozen=True, slots=True)
class Backups:
    """The settings of backup.toml."""

    directory: Path
    """For nothing but backups; it belongs to the master's user."""
    keep: int = 7
    """How many backups of this master stay there."""
    at: str = "daily"
    """When they are made, as OnCalendar= of systemd.time(7)."""


def load(layout: HostLayout) -> Backups | None:
    """The settings; None when there are no regular backups. Raises HostError for a file that cannot be used."""
    if not layout.backup_config.exists():
        return None
    try:
        return settings.load(layout.backup_config, lambda values: _checked(settings.parsed(Backups, values), layout))
    except SettingsError as error:
        raise HostError(str(error)) from error


def chosen(layout: HostLayout, given: Given) -> Backups | None:
    """The settings as these options change them; None: no backups. Raises WrongUse, HostError."""
    if given.get("directory") == "":
        return None
    before = load(layout)
    if before is None and "directory" not in given:
        raise WrongUse("--backup-keep and --backup-at need --backup-dir")
    values = {name: Path(str(value)) if name == "directory" else value for name, value in given.items()}
    try:
        changed = replace(before or Backups(Path("/")), **values)  # type: ignore[arg-type]
        _checked(changed, layout)
        if before is None or before.directory != changed.directory:
            _require_own(layout.real(str(changed.directory)), layout.root)
        return changed
    except ValueError as error:
        raise WrongUse(f"backups: {error}") from error


def text_of(backups: Backups) -> str:
    """The text of backup.toml."""
    return _HEADER + settings.to_toml({"directory": str(backups.directory), "keep": backups.keep, "at": backups.at})


def _checked(backups: Backups, layout: HostLayout) -> Backups:
    """The same. Raises ValueError."""
    if problem := configured.directory_problem(str(backups.directory)):
        raise ValueError(f"directory: {problem}")
    if backups.directory == Path("/") or backups.directory.is_relative_to(layout.seen(layout.opt)):
        raise ValueError(f"directory: {backups.directory} has other uses")
    state = Path(layout.seen(configured.state("master", layout)))
    if backups.directory.is_relative_to(state) or state.is_relative_to(backups.directory):
        raise ValueError(f"directory: {backups.directory} and the master's own {state} must not contain each other")
    if backups.keep < 1:
        raise ValueError("keep: must be 1 or more")
    if not _CALENDAR.fullmatch(backups.at):
        raise ValueError(f"at: {backups.at!r} is not a time as systemd.time(7) has it")
    return backups


def _require_own(directory: Path, root: Path) -> None:
    """The directory will belong to the master's user, with everything in it. Raises ValueError."""
    above = [parent for parent in directory.parents if parent.is_relative_to(root)]
    if link := next((path for path in (directory, *above) if path.is_symlink()), None):
        raise ValueError(f"{link} is a symbolic link: name the directory that it leads to")
    if closed := next((path for path in above if path.is_dir() and not path.stat().st_mode & 0o001), None):
        raise ValueError(f"{closed} is closed to the master's user, so {directory} cannot be used")
    if not directory.is_dir():
        if directory.exists():
            raise ValueError(f"{directory} is not a directory")
        return
    foreign = [path.name for path in directory.iterdir() if not _BACKUP.fullmatch(path.name)]
    if foreign := sorted(set(foreign) - {_OF_FILE_SYSTEMS}):
        raise ValueError(f"{directory} contains other things than backups ({foreign[0]}): name a directory of its own")
