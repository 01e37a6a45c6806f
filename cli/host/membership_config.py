"""The agent.toml that joining writes where there is none, and takes away when the host leaves.

A file that a person has changed is used as it is, and stays: it is ours only as long as it is, letter for letter,
what would be written from its own values.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agent.config import AgentConfig, ConfigError, from_values, load

_HEAD: Final = (
    "# Written by `sampan join`. Once it is changed by hand, `sampan leave` and `sampan reset` leave it here.\n"
)
_KEYS: Final = ("state_dir", "node_name", "master", "node_address", "engine_socket")


def chosen(path: Path, wanted: Mapping[str, str]) -> tuple[AgentConfig, str]:
    """The configuration to join by, and the text to be written before; empty: the file stays as it is.

    `wanted` are settings as text, empty ones left out. Raises ConfigError when a file of a person's names another
    master, or cannot be used.
    """
    if path.exists() and not is_ours(path):
        config = load(path)
        if config.master.rstrip("/") != wanted["master"]:
            raise ConfigError(
                f"{path}: master is {config.master}, not {wanted['master']}; correct the file or remove it"
            )
        return config, ""
    text = render(wanted)
    try:
        return from_values(tomllib.loads(text)), text
    except ValueError as error:
        raise ConfigError(str(error)) from error


def render(values: Mapping[str, Any]) -> str:
    """The file's text. A JSON string is a TOML one."""
    lines = (f"{key} = {json.dumps(values[key])}\n" for key in _KEYS if values.get(key))
    return _HEAD + "".join(lines)


def is_ours(path: Path) -> bool:
    """Whether the file is what joining wrote, unchanged."""
    try:
        text = path.read_text()
        return render(tomllib.loads(text)) == text
    except (OSError, ValueError):
        return False


def write(path: Path, text: str) -> None:
    """All of it or nothing, also on a full disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def remove(path: Path) -> bool:
    """Take the file away if it is ours; whether something of a person's stays."""
    if is_ours(path):
        path.unlink()
        return False
    return path.exists()
