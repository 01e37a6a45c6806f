"""Releases: virtual environments below /opt/sampan/releases. The link `current` points to the release that runs.

A release is complete when it has a `complete.json`, which is written last. An incomplete one was left by an interrupted
command, and is made again.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from host import bytecode, files, wheels
from host.errors import HostError
from host.layout import HostLayout
from host.record import Record, Recorder, foreign
from host.source import Source, python_version
from host.system import System

COMPLETE: Final = "complete.json"
_DISTRIBUTION_PYTHON: Final = "/usr/bin/python3"
_BYTES: Final = 150 << 20
"""More than a release needs on the disk."""
_COMMAND: Final = """\
#!{python}
import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # cli/__main__.py says why

from cli.main import main

sys.exit(main())
"""


def name_of(source: Source, layout: HostLayout) -> str:
    """The name of the release that was made from this source, or of the one to make.

    A new release is named after its version. If another build of that version is installed, a digest follows.
    """
    stamp, plain = _stamp(source), source.version
    names = (name for name in (current(layout), *_names(layout)) if name == plain or name.startswith(f"{plain}-"))
    matches = (name for name in names if _made_of(layout, name) == stamp)
    return next(matches, f"{plain}-{source.digest[:8]}" if is_complete(layout, plain) else plain)


def is_complete(layout: HostLayout, name: str) -> bool:
    return bool(name) and (layout.releases / name / COMPLETE).is_file()


def make(source: Source, recorder: Recorder, system: System) -> str:
    """Make the release unless it exists; its name. Raises HostError, and removes the incomplete release then."""
    layout = recorder.layout
    name = name_of(source, layout)
    directory = layout.releases / name
    if is_complete(layout, name) and _made_of(layout, name) == _stamp(source):
        recorder.keep(recorder.record.with_release(name))
        return name
    if directory.exists() and name not in recorder.record.releases:
        raise foreign(directory)
    recorder.keep(recorder.record.with_release(name))
    _require_space(layout)
    shutil.rmtree(directory, ignore_errors=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        _fill(directory, source, layout, system)
        files.write(directory / COMPLETE, json.dumps(_stamp(source)) + "\n")
    except (HostError, OSError) as error:
        shutil.rmtree(directory, ignore_errors=True)
        if isinstance(error, OSError):
            raise HostError(f"{directory}: {error.strerror}") from error
        raise
    return name


def require_ours(layout: HostLayout) -> None:
    """Raise HostError when `current` is not a link, and so not of our making."""
    if layout.current.exists() and not layout.current.is_symlink():
        raise foreign(layout.current)


def switch(layout: HostLayout, name: str) -> bool:
    """Point `current` to the release, atomically; whether it pointed elsewhere. Raises HostError.

    Makes the release readable for every user, in case an earlier command ran with a stricter umask.
    """
    require_ours(layout)
    files.let_read(layout.opt)
    files.let_read(layout.releases)
    files.let_read(layout.releases / name, below=True)
    return files.link(layout.current, f"releases/{name}")


def current(layout: HostLayout) -> str:
    """The name of the release that `current` points to; empty without one."""
    return layout.current.readlink().name if layout.current.is_symlink() else ""


def packages(layout: HostLayout, name: str) -> Path:
    """The directory of a release's packages and of those that they need."""
    version = _made_of(layout, name).get("python") or python_version()
    return layout.releases / name / "lib" / f"python{version}" / "site-packages"


def forget_all_but(recorder: Recorder, *names: str) -> None:
    """Remove the other releases of our making."""
    remove(recorder.layout, [name for name in made(recorder.layout, recorder.record) if name not in names])
    recorder.keep(replace(recorder.record, releases=tuple(n for n in recorder.record.releases if n in names)))


def made(layout: HostLayout, record: Record) -> list[str]:
    """The existing releases of our making: those in the record, and complete ones, which no other program makes."""
    return [name for name in _names(layout) if name in record.releases or is_complete(layout, name)]


def _names(layout: HostLayout) -> list[str]:
    return sorted(path.name for path in layout.releases.iterdir()) if layout.releases.is_dir() else []


def remove(layout: HostLayout, names: Iterable[str]) -> None:
    for name in names:
        shutil.rmtree(layout.releases / name, ignore_errors=True)


def python() -> str:
    """The Python to make releases with: the distribution's if it has the running one's version, else the running one.

    The Python of a checkout or of a user may be removed while the release is installed.
    """
    distributions = shutil.which(_DISTRIBUTION_PYTHON)
    if distributions and os.path.realpath(distributions).endswith(f"python{python_version()}"):
        return distributions
    return os.path.realpath(sys.executable) if sys.prefix == sys.base_prefix else str(_base_executable())


def _base_executable() -> Path:
    """The Python that the running virtual environment was made with."""
    return Path(sys.base_prefix) / "bin" / f"python{python_version()}"


def _fill(directory: Path, source: Source, layout: HostLayout, system: System) -> None:
    system.run(python(), "-m", "venv", "--without-pip", str(directory))
    target = packages(layout, directory.name)
    lock = source.lock()
    wheels.unpack(source.wheelhouse, lock, target)
    wheels.unpack_one(source.wheel, target)
    (directory / "requirements.lock").write_bytes(lock)
    command = directory / "bin/sampan"
    command.write_text(_COMMAND.format(python=layout.seen(directory / "bin/python")))
    command.chmod(0o755)
    _compile(directory, source, lock, target, system)


def _compile(directory: Path, source: Source, lock: bytes, target: Path, system: System) -> None:
    """The bytecode of all packages: what the bundle has of it, and the rest compiled here on all cores.

    The master's user may not write here, so Python could not keep what it compiles later.
    """
    others = bytecode.unpack(source.wheelhouse, lock, target)
    ours = bytecode.unpack_of_wheel(source.wheelhouse, source.wheel, target)
    if not (others and ours):
        paths = [str(target / name) for name in (wheels.packages_in(source.wheel) if others else [""])]
        system.run(str(directory / "bin/python"), "-m", "compileall", "-q", "-j", "0", *paths)


def _require_space(layout: HostLayout) -> None:
    existing = next(path for path in (layout.releases, *layout.releases.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < _BYTES:
        raise HostError(
            f"{layout.opt} needs {_BYTES >> 20} MiB and {free >> 20} MiB are free there: make room, then run this again"
        )


def _stamp(source: Source) -> dict[str, str]:
    """What identifies a release. With another Python, the same wheel is another release."""
    return {"wheel": source.digest, "python": python_version()}


def _made_of(layout: HostLayout, name: str) -> dict[str, str]:
    try:
        stamp = json.loads((layout.releases / name / COMPLETE).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}
