"""agent.toml as joining leaves it, and as leaving restores it.

Where there is none, joining writes one, and it is ours as long as it is, letter for letter, what would be written from
its own values. To a file of somebody's (a person's, `sampan install`'s) it adds the settings that were asked for and
are missing there, one marked line each; leaving takes these lines away. What stands in the file is never changed.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agent.config import AgentConfig, from_values
from host.config import default_node_name
from host.layout import HostLayout
from hull import atomicfile
from hull.errors import SettingsError

_HEAD: Final = (
    "# Written by `sampan join`. Once it is changed by hand, `sampan leave` and `sampan reset` leave it here.\n"
)
_MARK: Final = "  # by `sampan join`"
_KEYS: Final = ("state_dir", "node_name", "master", "node_address", "engine_socket")
_ADDED: Final = re.compile(rf"^(?:{'|'.join(_KEYS)}) = .*{re.escape(_MARK)}\n", re.MULTILINE)
STATE_DIR: Final = str(HostLayout().state("agent"))
_NO_MASTER: Final = "https://192.0.2.1:6443"
"""Passes for one while the rest is checked (RFC 5737)."""


def chosen(path: Path, wanted: Mapping[str, str], *, keep: bool = False) -> tuple[AgentConfig, str]:
    """The configuration to join by, and the file's text for it; empty: the file says it all already.

    `wanted` are the settings that were asked for; those that are left out, or empty, are the file's or the defaults.
    `keep`: what an earlier join wrote counts as asked for, where nobody asks for something else.
    Raises SettingsError when somebody's file says something else, or cannot be used.
    """
    asked = {key: value for key, value in wanted.items() if value}
    before = "" if is_ours(path) else _bare(path)
    if keep:
        theirs, all_values = _parsed(path, before), _parsed(path, _text(path))
        asked = {key: str(all_values[key]) for key in _KEYS if key in all_values and key not in theirs} | asked
    if not before:
        defaults = {"state_dir": STATE_DIR, "node_name": default_node_name()}
        text = render(defaults | asked)
    else:
        values = _parsed(path, before)
        for key, value in asked.items():
            if key in values and not _same(key, str(values[key]), value):
                raise SettingsError(f"{path}: {key} is {values[key]}, not {value}; correct the file, or what was asked")
        lines = (f"{key} = {json.dumps(value)}{_MARK}\n" for key, value in asked.items() if key not in values)
        # On top: what follows a table would belong to it.
        text = "".join(lines) + before
    try:
        config = from_values(_parsed(path, text))
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    return config, "" if _text(path) == text else text


def _same(key: str, found: str, asked: str) -> bool:
    """Whether the file says what was asked for. The case of a master's name says nothing, that of a path does."""
    found, asked = found.rstrip("/"), asked.rstrip("/")
    return found.lower() == asked.lower() if key == "master" else found == asked


def render(values: Mapping[str, Any]) -> str:
    """The text of a file that is ours. A JSON string is a TOML one."""
    lines = (f"{key} = {json.dumps(values[key])}\n" for key in _KEYS if values.get(key))
    return _HEAD + "".join(lines)


def is_ours(path: Path) -> bool:
    """Whether the whole file is what joining wrote."""
    try:
        text = path.read_text()
        return render(tomllib.loads(text)) == text
    except (OSError, ValueError):
        return False


def state_dir(path: Path, otherwise: str) -> Path:
    """Where the file says that the state is; a file that is not there, or not whole yet, says nothing."""
    text = _text(path)
    found = _parsed(path, text).get("state_dir") if text else None
    return Path(str(found or otherwise or STATE_DIR))


def master(path: Path) -> str:
    """The master that the file names; empty: none."""
    text = _text(path)
    return str(_parsed(path, text).get("master", "")) if text else ""


def known(path: Path) -> AgentConfig:
    """The configuration of a host that may have left already: its master is empty where none stands in it any more.

    As agent.config.
    """
    values = _parsed(path, _text(path))
    try:
        config = from_values({"master": _NO_MASTER, **values})
        return config if "master" in values else replace(config, master="")
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def write(path: Path, text: str) -> None:
    """All of it or nothing, also on a full disk; a file that is there keeps owner and mode. Raises OSError."""
    # A link stays one: whoever manages the file it leads to would look there in vain for what we wrote.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        atomicfile.write(path, text, mode=0o644)
        return
    before = path.stat()
    with atomicfile.opened(path, mode=before.st_mode & 0o7777, owner=(before.st_uid, before.st_gid)) as file:
        file.write(text.encode())


@contextmanager
def written(path: Path, text: str, *, unless: Callable[[], bool]) -> Iterator[None]:
    """The file says this (empty: what it says already), and what it said before when something goes wrong, `unless`
    that came to its end before."""
    before = _text(path) if text and path.exists() else None
    try:
        if text:
            write(path, text)
        yield
    except BaseException:
        # Only what is ours is taken back.
        if text and _text(path) == text and not unless():
            unlink(path) if before is None else write(path, before)
        raise


def unlink(path: Path) -> None:
    """Remove the file, or the one that a link leads to: the link was not joining's."""
    path.resolve().unlink(missing_ok=True)


def remove(path: Path) -> bool:
    """Take back what joining wrote; whether a file of somebody's stays."""
    if is_ours(path):
        unlink(path)
        return False
    bare = _bare(path)
    if bare != _text(path):
        write(path, bare)
    return path.exists()


def _bare(path: Path) -> str:
    """The file without what joining added."""
    return _ADDED.sub("", _text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
