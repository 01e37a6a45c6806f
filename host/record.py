"""What was done to this host, so that uninstalling undoes exactly that: `installed.json`.

Written before a thing is made, not after: what a killed command made is known, and a thing that is in the record but
not there is no trouble. What was there before is never in it, and never overwritten: it is refused.

Releases of the same host read each other's, in both directions: there is a way back. The first release takes the keys
that it knows and no other one, so what came later has its place in these; a key that is not known is passed over.
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
"""What files of ours begin with that nobody else would write: known also to who lost the record."""


@dataclass(frozen=True, slots=True)
class Record:
    """`files`, `directories` and `releases` (by name) were made by us; `user_made`: the master's user too.

    `release` runs (by name): the last one that did; `previous` ran before: the way back of `upgrade`. `target`: the
    release that a command has begun to change to; perhaps something runs it already. `ran`: the roles that were up when
    it began, and are to be again.
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
        """None when there is none. Raises HostError for one that cannot be read."""
        try:
            values: dict[str, Any] = json.loads(layout.record.read_text())
            if values.pop("format") != _FORMAT:
                raise ValueError("of another format")
            return cls(**_kept(values, f"{layout.seen(layout.releases)}/"))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HostError(f"{layout.record} cannot be read ({error}): put it right, or remove it") from error

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
        return replace(self, files=tuple(each for each in self.files if each != path))

    def with_directory(self, path: str) -> "Record":
        return self if path in self.directories else replace(self, directories=(*self.directories, path))


class Recorder:
    """The record while a command works: says what it is about to make, then makes it."""

    def __init__(self, layout: HostLayout) -> None:
        self.layout = layout
        found = Record.load(layout)
        self.fresh = found is None
        """Nothing of ours was here before."""
        self.record = found or Record()

    def directory(self, path: Path, *, mode: int = 0o755) -> None:
        """Make a directory, and the ones above it that are not there."""
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            if self.layout.opt in (each, *each.parents):
                # The record lies in there itself, and goes with it.
                each.mkdir(mode=0o755)
            else:
                self.keep(self.record.with_directory(self.layout.seen(each)))
                each.mkdir(mode=mode if each == path else 0o755)
                each.chmod(mode if each == path else 0o755)

    def file(self, path: Path, text: str, *, mode: int = 0o644) -> bool:
        """Make a file say this; whether it was changed. Raises HostError for one of somebody else's."""
        self.require_ours(path)
        self.keep(self.record.with_file(self.layout.seen(path)))
        return files.write(path, text, mode=mode)

    def link(self, path: Path, target: str) -> bool:
        """Make a symbolic link; whether there was none. Raises HostError when something else is there."""
        self.require_ours(path, target)
        self.keep(self.record.with_file(self.layout.seen(path)))
        return files.link(path, target)

    def remove(self, seen: str) -> None:
        """Remove a file of the record's, unless somebody has put a link in its place, and forget it."""
        path = self.layout.root / seen.lstrip("/")
        if not path.is_symlink():
            files.remove(path)
        self.keep(self.record.without_file(seen))

    def require_ours(self, path: Path, target: str = "") -> None:
        """Raise HostError when there is something that is not of our making. `target`: a link to it would be."""
        if not os.path.lexists(path):
            return
        if target:
            ours = path.is_symlink() and str(path.readlink()) == target
        else:
            known = self.layout.seen(path) in self.record.files
            ours = not path.is_symlink() and path.is_file()
            ours = ours and (known or path.read_bytes().startswith(WRITTEN.encode()))
        if not ours:
            raise somebody_s(path)

    def keep(self, record: Record) -> None:
        if record != self.record or not self.layout.record.exists():
            if not self.layout.opt.exists():
                self.layout.opt.mkdir(parents=True)
            self.record = record
            record.save(self.layout)


def _kept(values: dict[str, Any], below: str) -> dict[str, Any]:
    """What is in a file, as fields; `below`: where releases are. Raises TypeError, AttributeError, KeyError."""
    begun = values.get("unfinished", False)
    if isinstance(begun, dict):
        values |= {"target": str(begun["target"]), "ran": begun.get("ran", [])}
    elif begun:
        # The first release notes the change before it makes it: what certainly ran is the one before.
        ran = values.get("previous") or values["release"]
        values |= {"target": values["release"], "release": ran, "previous": ""}
    directories: list[str] = values.get("directories", [])
    releases = [path.removeprefix(below) for path in directories if path.startswith(below)]
    values["directories"] = [path for path in directories if not path.startswith(below)]
    # Between, there was a release with a key for them.
    values["releases"] = [*dict.fromkeys([*releases, *values.get("releases", [])])]
    known = {each.name for each in fields(Record)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known}


def somebody_s(path: Path) -> HostError:
    """What is said of a thing in the place of one of ours."""
    if path.is_symlink() and str(path.readlink()) == os.devnull:
        return HostError(f"{path.name} is masked on this host: run `systemctl unmask {path.name}`, then this again")
    return HostError(f"{path} is not of our making: move it away (mv {path} {path}.old), then run this again")
