"""agent.toml as joining writes it and as leaving restores it.

Where there is none, joining writes one; that file is ours as long as it is, byte for byte, what its own values would be
written as. To another file (a person's, `sampan install`'s) joining adds the requested settings that are missing, one
marked line each; leaving removes these lines. Settings that are in the file are never changed.
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
"""Earlier releases know their files by this text and the next one: neither may change."""
_MARK: Final = "  # by `sampan join`"
_KEYS: Final = ("state_dir", "node_name", "master", "node_address", "engine_socket")
_ADDED: Final = re.compile(rf"^(?:{'|'.join(_KEYS)}) = .*{re.escape(_MARK)}\n", re.MULTILINE)
STATE_DIR: Final = str(HostLayout().state("agent"))
_NO_MASTER: Final = "https://192.0.2.1:6443"
"""A placeholder while the other settings are checked (RFC 5737)."""


def chosen(path: Path, requested: Mapping[str, str], *, keep: bool = False) -> tuple[AgentConfig, str]:
    """The configuration to join with, and the file's new text; empty when the file has all of it already.

    `requested` settings that are missing or empty are the file's or the defaults. `keep`: settings that an earlier join
    wrote count as requested unless there are others.
    Raises SettingsError when a file that is not ours contradicts, or cannot be used.
    """
    settings = {key: value for key, value in requested.items() if value}
    before = "" if is_ours(path) else _bare(path)
    if keep:
        foreign, all_values = _parsed(path, before), _parsed(path, _text(path))
        settings = {key: str(all_values[key]) for key in _KEYS if key in all_values and key not in foreign} | settings
    if not before:
        defaults = {"state_dir": STATE_DIR, "node_name": default_node_name()}
        text = render(defaults | settings)
    else:
        values = _parsed(path, before)
        for key, value in settings.items():
            if key in values and not _same(key, str(values[key]), value):
                raise SettingsError(f"{path}: {key} is {values[key]}, not {value}; correct the file, or the command")
        lines = (f"{key} = {json.dumps(value)}{_MARK}\n" for key, value in settings.items() if key not in values)
        # At the top: lines below a table would belong to it.
        text = "".join(lines) + before
    try:
        config = from_values(_parsed(path, text))
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    return config, "" if _text(path) == text else text


def _same(key: str, present: str, requested: str) -> bool:
    """Whether the two values mean the same. A master's name is the same in any case, a path is not."""
    present, requested = present.rstrip("/"), requested.rstrip("/")
    return present.lower() == requested.lower() if key == "master" else present == requested


def render(values: Mapping[str, Any]) -> str:
    """The text of a file of ours. A JSON string is a TOML string."""
    lines = (f"{key} = {json.dumps(values[key])}\n" for key in _KEYS if values.get(key))
    return _HEAD + "".join(lines)


def is_ours(path: Path) -> bool:
    """Whether joining wrote the whole file."""
    try:
        text = path.read_text()
        return render(tomllib.loads(text)) == text
    except (OSError, ValueError):
        return False


def state_dir(path: Path, otherwise: str) -> Path:
    """The file's state directory; `otherwise`, or the default, when the file or the setting does not exist."""
    text = _text(path)
    value = _parsed(path, text).get("state_dir") if text else None
    return Path(str(value or otherwise or STATE_DIR))


def master(path: Path) -> str:
    """The file's master; empty for none."""
    text = _text(path)
    return str(_parsed(path, text).get("master", "")) if text else ""


def known(path: Path) -> AgentConfig:
    """The configuration of a host that may have left already: then its master is empty. Raises SettingsError."""
    values = _parsed(path, _text(path))
    try:
        config = from_values({"master": _NO_MASTER, **values})
        return config if "master" in values else replace(config, master="")
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def write(path: Path, text: str) -> None:
    """Write the whole file or nothing, also on a full disk; an existing file keeps owner and mode. Raises OSError."""
    # A symbolic link stays: its target may be managed by another tool.
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
    """Write this text (empty: no change); after an error, restore what was there, `unless` the block had succeeded."""
    before = _text(path) if text and path.exists() else None
    try:
        if text:
            write(path, text)
        yield
    except BaseException:
        # Only our own text is taken back.
        if text and _text(path) == text and not unless():
            unlink(path) if before is None else write(path, before)
        raise


def unlink(path: Path) -> None:
    """Remove the file, or a link's target: joining did not make the link."""
    path.resolve().unlink(missing_ok=True)


def remove(path: Path) -> bool:
    """Take back what joining wrote; whether a file stays, which is not ours."""
    if is_ours(path):
        unlink(path)
        return False
    bare = _bare(path)
    if bare != _text(path):
        write(path, bare)
    return path.exists()


def _bare(path: Path) -> str:
    """The file without the lines that joining added."""
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
