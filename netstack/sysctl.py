"""Kernel parameters below /proc/sys inside a network namespace.

Writes only the parameters that a caller names, and only those whose value differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netstack import namespaces
from netstack.errors import KernelRefused, NotThere
from netstack.namespaces import Where


def read(where: Where, key: str) -> str:
    """The value of e.g. `net/ipv4/ip_forward`. Raises NotThere."""
    return namespaces.run_in(where, lambda: _read(key))


def write(where: Where, values: Mapping[str, str]) -> tuple[str, ...]:
    """Set each key to its value. Returns the keys that had another value. Raises NotThere, KernelRefused."""

    def body() -> tuple[str, ...]:
        changed = [key for key, value in values.items() if _read(key) != value]
        for key in changed:
            _write(key, values[key])
        return tuple(changed)

    return namespaces.run_in(where, body)


def _path(key: str) -> Path:
    return Path("/proc/sys") / key


def _read(key: str) -> str:
    try:
        return _path(key).read_text().strip()
    except OSError as error:
        raise NotThere(error.errno or 0, f"sysctl {key}") from error


def _write(key: str, value: str) -> None:
    try:
        _path(key).write_text(value)
    except OSError as error:
        raise KernelRefused(error.errno or 0, f"sysctl {key}={value}") from error
