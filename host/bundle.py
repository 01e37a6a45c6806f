"""Makes a bundle: our wheel, the locked wheels that it needs, and a script that installs them without any network.

One tar file with one directory: `install` (a shell script: `./install master`), `bundle.json`, the wheel, `wheels/`.
"""

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Final

from host import files, source, wheels
from host.errors import HostError
from host.system import System
from hull.outfile import written

Step = Callable[[str], AbstractContextManager[None]]

_INSTALL: Final = """\
#!/bin/sh
# Installs, upgrades or uninstalls Sampan from this bundle; nothing is downloaded.
#   ./install master|agent [OPTION …]    ./install upgrade    ./install uninstall [--purge]
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
export PYTHONPATH="$here/{wheel}" PYTHONDONTWRITEBYTECODE=1
python=$(command -v python3) && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {{
    echo "sampan: Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2
    exit 1
}}
case ${{1:-}} in
    uninstall) exec "$python" -P -m cli "$@" ;;
    upgrade) exec "$python" -P -m cli "$@" --from "$here" ;;
    *) exec "$python" -P -m cli install "$@" --from "$here" ;;
esac
"""


@files.usual_umask()
def make(
    target: Path | None,
    system: System,
    *,
    python: str = "",
    packages: Path | None = None,
    step: Step = lambda _: nullcontext(),
) -> Path:
    """The bundle of this checkout for a Python (this one, or another such as 3.13) on this kind of machine.

    `packages`: a directory that has the wheels; nothing is downloaded then.

    Written to `target`, or into the current directory under its usual name. Raises HostError.
    """
    version = python or source.python_version()
    with tempfile.TemporaryDirectory(prefix="sampan-bundle-") as scratch:
        with step("wheel"):
            wheel = source.build_wheel(Path(scratch, "built"), system)
        name = f"sampan-{source.version_of(wheel)}-py{version}-{source.machine_name()}"
        directory = Path(scratch, name)
        directory.mkdir()
        shutil.move(wheel, directory / wheel.name)
        with step("packages"):
            house = directory / source.WHEELHOUSE
            wheels.fetch(source.lock_of(directory / wheel.name), house, system, python=version, local=packages)
        manifest = {"wheel": wheel.name, "python": version, "machine": source.machine_name()}
        (directory / source.MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        script = directory / "install"
        script.write_text(_INSTALL.format(wheel=wheel.name))
        script.chmod(0o755)
        written = target or Path(f"{name}.tar")
        with step("archive"):
            _archive(directory, written)
    return written


def cached_packages(
    cache: Path, system: System, *, python: str, lock: bytes = b"", step: Step = lambda _: nullcontext()
) -> Path:
    """A lock's wheels (this checkout's, for `packages`, when none is given): fetched once, kept below `cache`."""
    lock = lock or (source.CHECKOUT / "requirements.lock").read_bytes()
    kept = cache / f"py{python}-{source.machine_name()}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-", dir=cache) as scratch, step("wheels"):
            wheels.fetch(lock, Path(scratch, "wheels"), system, python=python)
            with suppress(OSError):  # another command was faster
                Path(scratch, "wheels").rename(kept)
    return kept


def _archive(directory: Path, target: Path) -> None:
    try:
        with written(target, mode=0o644) as file, tarfile.open(fileobj=file, mode="w|") as archive:
            archive.add(directory, directory.name, filter=_of_root)
    except OSError as error:
        raise HostError(f"{target}: {error.strerror}") from error


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
