"""Makes a bundle: our wheels, the locked wheels that they need, and a script that installs them without any network.

One tar file with one directory: `install` (a shell script: `./install master`), `bundle.json`, the wheel `sampan`, and
`wheels/` with all others and their bytecode. The first release reads bundles too: what it looks for keeps its place and
its meaning.
"""

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Final

from host import build, bytecode, files, source, wheels
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
export PYTHONPATH="$here/{sampan}:$here/{wheels}/{netstack}" PYTHONDONTWRITEBYTECODE=1
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
    """Write the bundle of this checkout to `target`, or into the current directory under its usual name.

    It is for a Python (this one, or another such as 3.13) on this kind of machine. `packages`: a directory with the
    wheels of others; without it they are downloaded. Raises HostError.
    """
    with tempfile.TemporaryDirectory(prefix="sampan-bundle-") as scratch:
        with step("wheels"):
            built = build.build(Path(scratch, "built"), system)
        return _make(target, built, Path(scratch), system, python=python, packages=packages, step=step)


@files.usual_umask()
def make_all(
    dist: Path,
    system: System,
    *,
    python: str = "",
    packages: Path | None = None,
    step: Step = lambda _: nullcontext(),
) -> list[Path]:
    """Put the three wheels of this checkout, and its bundle as `make` makes it, into a directory. Raises HostError."""
    with tempfile.TemporaryDirectory(prefix="sampan-build-") as scratch:
        with step("wheels"):
            built = build.build(Path(scratch, "built"), system, plugin=True)
        try:
            dist.mkdir(parents=True, exist_ok=True)
            target = dist / f"{_name(built, python)}.tar"
            bundle = _make(target, built, Path(scratch), system, python=python, packages=packages, step=step)
            return [*(Path(shutil.copy(wheel, dist)) for wheel in built.values()), bundle]
        except OSError as error:
            raise HostError(f"{dist}: {error.strerror}") from error


def cached_packages(
    cache: Path, system: System, *, python: str, lock: bytes = b"", step: Step = lambda _: nullcontext()
) -> Path:
    """A directory below `cache` with the wheels of a lock, by default of this checkout's; fetched at the first call.

    Serves as `packages`. Raises HostError.
    """
    lock = lock or (build.CHECKOUT / build.LOCK).read_bytes()
    kept = cache / f"py{python}-{source.machine_name()}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-", dir=cache) as scratch, step("packages"):
            wheels.fetch(lock, Path(scratch, "wheels"), system, python=python)
            with suppress(OSError):  # another command was faster
                Path(scratch, "wheels").rename(kept)
    return kept


def _make(
    target: Path | None,
    built: Mapping[str, Path],
    scratch: Path,
    system: System,
    *,
    python: str,
    packages: Path | None,
    step: Step,
) -> Path:
    name = _name(built, python)
    version = python or source.python_version()
    directory = scratch / name
    directory.mkdir()
    sampan, netstack = built[build.SAMPAN], built[build.NETSTACK]
    shutil.copy(sampan, directory)
    with step("packages"):
        house = directory / source.WHEELHOUSE
        lock = source.lock_of(sampan)
        wheels.fetch(lock, house, system, python=version, packages=packages, present=[netstack])
    if version == source.python_version():
        with step("bytecode"):
            bytecode.make(house, sampan, lock, scratch, system)
    manifest = {"wheel": sampan.name, "python": version, "machine": source.machine_name()}
    (directory / source.MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    script = directory / "install"
    script.write_text(install_script(sampan, netstack))
    script.chmod(0o755)
    target = target or Path(f"{name}.tar")
    with step("archive"):
        _archive(directory, target)
    return target


def install_script(sampan: Path, netstack: Path) -> str:
    """The bundle's `install`. It runs the command out of the two wheels, on the host's own Python."""
    return _INSTALL.format(sampan=sampan.name, netstack=netstack.name, wheels=source.WHEELHOUSE)


def _name(built: Mapping[str, Path], python: str) -> str:
    version = source.version_of(built[build.SAMPAN])
    return f"sampan-{version}-py{python or source.python_version()}-{source.machine_name()}"


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
