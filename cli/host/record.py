"""What was done to this host, so that uninstalling undoes exactly that: `installed.json`.

Written before a thing is made, not after: what a killed command made is known, and a thing that is in the record but
not there is no trouble. What was there before is never in it, and never overwritten: it is refused.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from cli.host import files
from cli.host.errors import HostError
from cli.host.layout import HostLayout, Role

_FORMAT: Final = 1
WRITTEN: Final = "# Written by `sampan install`"
"""What files of ours begin with that nobody else would write: known also to who lost the record."""


@dataclass(frozen=True, slots=True)
class Record:
    """`files`, `directories` and `releases` (by name) were made by us; `user_made`: the master's user too.

    `release` runs (by name): the last one that did; `previous` ran before: the way back of `upgrade`. `target`: the
    release that a command has begun to change to; perhaps something runs it already.
    """

    roles: tuple[Role, ...] = ()
    release: str = ""
    previous: str = ""
    target: str = ""
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
            values.pop("unfinished", None)  # what earlier releases had in the place of `target`
            values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
            return cls(**values)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise HostError(f"{layout.record} cannot be read ({error}): put it right, or remove it") from error

    def save(self, layout: HostLayout) -> None:
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=2) + "\n"
        files.write(layout.record, text)

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


def somebody_s(path: Path) -> HostError:
    """What is said of a thing in the place of one of ours."""
    if path.is_symlink() and str(path.readlink()) == os.devnull:
        return HostError(f"{path.name} is masked on this host: run `systemctl unmask {path.name}`, then this again")
    return HostError(f"{path} is not of our making: move it away (mv {path} {path}.old), then run this again")
