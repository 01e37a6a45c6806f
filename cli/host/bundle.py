"""Makes a bundle: our wheel, the locked wheels that it needs, and a script that installs them without any network.

One tar file with one directory: `install` (a shell script: `./install master`), `bundle.json`, the wheel, `wheels/`.
"""

import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from cli.host import source
from cli.host.errors import HostError
from cli.host.system import System

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


def make(target: Path | None, system: System, *, python: str = "", step: Step = lambda _: nullcontext()) -> Path:
    """The bundle of this checkout for a Python (this one, or another such as 3.13) on this kind of machine.

    Written to `target`, or into the current directory under its usual name. Raises HostError.
    """
    version = python or source.python_version()
    with tempfile.TemporaryDirectory(prefix="sampan-bundle-") as scratch:
        with step("wheel"):
            wheel = source.build_wheel(Path(scratch, "built"), system)
        found = source.Source(wheel)
        name = f"sampan-{found.version}-py{version}-{source.machine_name()}"
        directory = Path(scratch, name)
        directory.mkdir()
        shutil.move(wheel, directory / wheel.name)
        with step("packages"):
            _download(source.Source(directory / wheel.name), directory / source.WHEELHOUSE, version, system)
        manifest = {"wheel": wheel.name, "python": version, "machine": source.machine_name()}
        (directory / source.MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        script = directory / "install"
        script.write_text(_INSTALL.format(wheel=wheel.name))
        script.chmod(0o755)
        written = target or Path(f"{name}.tar")
        with step("archive"):
            _archive(directory, written)
    return written


def _download(found: source.Source, wheelhouse: Path, version: str, system: System) -> None:
    """The wheels of the lock, for that version of Python: hashes are checked here and again at the installation."""
    wheelhouse.mkdir()
    lock = wheelhouse.parent / "requirements.lock"
    lock.write_bytes(found.lock())
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps")
    system.run(
        *pip, "--only-binary=:all:", f"--python-version={version}", "--require-hashes", "-r", str(lock),
        "-d", str(wheelhouse),
    )  # fmt: skip
    lock.unlink()


def _archive(directory: Path, target: Path) -> None:
    """Written aside and renamed: a bundle is whole."""
    aside = target.with_name(f".{target.name}.new")
    try:
        with tarfile.open(aside, "w") as archive:
            archive.add(directory, directory.name, filter=_of_root)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise HostError(f"{target}: {error.strerror}") from error


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
