"""What was made on this host, so that uninstalling removes exactly that: `installed.json`.

Each thing is recorded before it is made, so that the record also has what a killed command made. A recorded thing that
does not exist does no harm. A thing that existed before is never recorded or overwritten: it is an error.

Releases on the same host read each other's record, older ones that of newer ones too: an upgrade can be taken back. The
first release refuses keys that it does not know, so what came later is stored below its keys. Later releases ignore
keys that they do not know.
"""

import json
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Self

from host import files
from host.errors import HostError
from host.layout import HostLayout, Role

_FORMAT: Final = 1
WRITTEN: Final = "# Written by `sampan install`"
"""The first words of our text files, by which they are known when the record is lost."""


@dataclass(frozen=True, slots=True)
class Record:
    """`files`, `directories` and `releases` (by name) were made by us; `user_made`: the master's user as well.

    `release` (by name) is the last one that ran, `previous` the one before it, to which `upgrade` can go back.
    `target`: the release that an unfinished command changes to, which a service may run already. `ran`: the roles that
    were up when that command began, and are to be up again.
    """

    roles: tuple[Role, ...] = ()
    release: str = ""
    previous: str = ""
    target: str = ""
    ran: tuple[Role, ...] = ()
    user_made: bool = False
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()

    @classmethod
    def load(cls, layout: HostLayout) -> Self | None:
        """None when there is no record. Raises HostError for one that cannot be read."""
        try:
            values: dict[str, Any] = json.loads(layout.record.read_text())
            if values.pop("format") != _FORMAT:
                raise ValueError("of another format")
            return cls(**_as_fields(values, f"{layout.seen(layout.releases)}/"))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HostError(f"{layout.record} cannot be read ({error}): correct it, or remove it") from error

    def save(self, layout: HostLayout) -> None:
        below = layout.seen(layout.releases)
        values = {
            "format": _FORMAT,
            "roles": self.roles,
            "release": self.release,
            "previous": self.previous,
            "unfinished": {"target": self.target, "ran": self.ran} if self.target else False,
            "user_made": self.user_made,
            "files": self.files,
            "directories": (*self.directories, *(f"{below}/{name}" for name in self.releases)),
        }
        files.write(layout.record, json.dumps(values, indent=2) + "\n")

    def with_role(self, role: Role) -> "Record":
        return self if role in self.roles else replace(self, roles=(*self.roles, role))

    def with_file(self, path: str) -> "Record":
        return self if path in self.files else replace(self, files=(*self.files, path))

    def with_release(self, name: str) -> "Record":
        return self if name in self.releases else replace(self, releases=(*self.releases, name))

    def without_file(self, path: str) -> "Record":
        return replace(self, files=tuple(other for other in self.files if other != path))

    def with_directory(self, path: str) -> "Record":
        return self if path in self.directories else replace(self, directories=(*self.directories, path))


class Recorder:
    """The record while a command works: each thing is recorded, then made."""

    def __init__(self, layout: HostLayout) -> None:
        self.layout = layout
        loaded = Record.load(layout)
        self.fresh = loaded is None
        """Nothing of ours was here before."""
        self.record = loaded or Record()

    def directory(self, path: Path, *, mode: int = 0o755) -> None:
        """Make a directory, and those above it that do not exist."""
        missing = [directory for directory in (path, *path.parents) if not directory.exists()]
        for directory in reversed(missing):
            if self.layout.opt in (directory, *directory.parents):
                # The record itself is in there, and is removed with it.
                directory.mkdir(mode=0o755)
            else:
                self.keep(self.record.with_directory(self.layout.seen(directory)))
                directory.mkdir(mode=mode if directory == path else 0o755)
                directory.chmod(mode if directory == path else 0o755)

    def file(self, path: Path, text: str, *, mode: int = 0o644) -> bool:
        """Make a file contain this text; whether it was changed. Raises HostError for a foreign file."""
        self.require_ours(path)
        self.keep(self.record.with_file(self.layout.seen(path)))
        return files.write(path, text, mode=mode)

    def link(self, path: Path, target: str) -> bool:
        """Make a symbolic link; whether it was changed. Raises HostError when something else is in its place."""
        self.require_ours(path, target)
        self.keep(self.record.with_file(self.layout.seen(path)))
        return files.link(path, target)

    def remove(self, seen: str) -> None:
        """Remove a recorded file and forget it. A symbolic link in its place was made by others, and stays."""
        path = self.layout.real(seen)
        if not path.is_symlink():
            files.remove(path)
        self.keep(self.record.without_file(seen))

    def require_ours(self, path: Path, target: str = "") -> None:
        """Raise HostError when something foreign is at the path. `target`: a link to it would be ours."""
        if not os.path.lexists(path):
            return
        if target:
            ours = path.is_symlink() and str(path.readlink()) == target
        else:
            known = self.layout.seen(path) in self.record.files
            ours = not path.is_symlink() and path.is_file()
            ours = ours and (known or path.read_bytes().startswith(WRITTEN.encode()))
        if not ours:
            raise foreign(path)

    def keep(self, record: Record) -> None:
        """Make this the record, on disk too."""
        if record != self.record or not self.layout.record.exists():
            if not self.layout.opt.exists():
                self.layout.opt.mkdir(parents=True)
            self.record = record
            record.save(self.layout)


def _as_fields(values: dict[str, Any], below: str) -> dict[str, Any]:
    """The document as fields of Record; `below`: where releases are. Raises TypeError, AttributeError, KeyError."""
    unfinished = values.get("unfinished", False)
    if isinstance(unfinished, dict):
        values |= {"target": str(unfinished["target"]), "ran": unfinished.get("ran", [])}
    elif unfinished:
        # The first release records the change before it makes it: only the release before is known to have run.
        ran = values.get("previous") or values["release"]
        values |= {"target": values["release"], "release": ran, "previous": ""}
    directories: list[str] = values.get("directories", [])
    releases = [path.removeprefix(below) for path in directories if path.startswith(below)]
    values["directories"] = [path for path in directories if not path.startswith(below)]
    # One release in between had a key for them.
    values["releases"] = [*dict.fromkeys([*releases, *values.get("releases", [])])]
    known = {field.name for field in fields(Record)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known}


def foreign(path: Path) -> HostError:
    """The error for something in a place of ours that we did not make."""
    if path.is_symlink() and str(path.readlink()) == os.devnull:
        return HostError(f"{path.name} is masked on this host: run `systemctl unmask {path.name}`, then this again")
    return HostError(f"{path} was not made by sampan: move it away (mv {path} {path}.old), then run this again")
