"""What the first release does with a bundle or a wheel that it upgrades to: a copy of its few rules.

From its modules cli/host/source.py, wheels.py, release.py and host_files.py. It is installed on hosts, so these rules
never change; every later bundle must suit them.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path

HASH = re.compile(rb"--hash=sha256:([0-9a-f]{64})")
HOST_FILES = "cli.host.host_files"
"""Run as `python -I -m MODULE ROLE…` in the new release; prints the files that it needs on the host, as JSON."""


def release_of(bundle: Path, packages: Path, *, python: str, machine: str) -> str:
    """Unpack a bundle's directory into a release's site-packages; the version."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    wheel = bundle / str(manifest["wheel"])
    assert (python, machine) == (manifest["python"], manifest["machine"])
    with zipfile.ZipFile(wheel) as archive:
        lock = archive.read("cli/host/requirements.lock")
    known = {digest.decode() for digest in HASH.findall(lock)}
    for other in sorted((bundle / "wheels").glob("*.whl")):
        assert hashlib.sha256(other.read_bytes()).hexdigest() in known, f"{other.name} is not what the lock says"
        _unpack(other, packages)
    _unpack(wheel, packages)
    assert (packages / f"{HOST_FILES.replace('.', '/')}.py").exists()
    return wheel.name.split("-")[1]


def _unpack(wheel: Path, packages: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
