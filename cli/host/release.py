"""Releases: a virtual environment each, below /opt/sampan/releases; `current` is a link to the one that runs.

A release is complete when its `complete.json` is there, which is written last; anything else is rubbish of a command
that was interrupted, and is made anew.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from cli.host import files, wheels
from cli.host.errors import HostError
from cli.host.layout import HostLayout
from cli.host.source import Source, python_version
from cli.host.system import System

COMPLETE: Final = "complete.json"
_DISTRIBUTIONS: Final = "/usr/bin/python3"
_BYTES: Final = 150 << 20
"""What a release takes, generously."""
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
    """The release that was made of this source, where there is one: it keeps its name, whatever else goes or comes.

    Else the version; where another build of that version is there already, with a digest behind it.
    """
    stamp, plain = _stamp(source), source.version
    there = sorted(path.name for path in layout.releases.iterdir()) if layout.releases.is_dir() else []
    named = (name for name in (current(layout), *there) if name == plain or name.startswith(f"{plain}-"))
    made = (name for name in named if _made_of(layout, name) == stamp)
    return next(made, f"{plain}-{source.digest[:8]}" if is_complete(layout, plain) else plain)


def is_complete(layout: HostLayout, name: str) -> bool:
    return bool(name) and (layout.releases / name / COMPLETE).is_file()


def make(source: Source, layout: HostLayout, system: System) -> str:
    """Make the release unless it is there; its name. Raises HostError, and leaves nothing of it then."""
    name = name_of(source, layout)
    directory = layout.releases / name
    if is_complete(layout, name) and _made_of(layout, name) == _stamp(source):
        return name
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


def switch(layout: HostLayout, name: str) -> bool:
    """Make `current` the release, in one step; whether it was another."""
    return files.link(layout.current, f"releases/{name}")


def current(layout: HostLayout) -> str:
    """The name of the release that `current` is; empty when there is none."""
    return layout.current.readlink().name if layout.current.is_symlink() else ""


def forget_all_but(layout: HostLayout, *names: str) -> None:
    if layout.releases.is_dir():
        for path in layout.releases.iterdir():
            if path.name not in names:
                shutil.rmtree(path, ignore_errors=True)


def python() -> str:
    """The distribution's Python, not one that a checkout or a user brought, where it has the running one's version."""
    found = shutil.which(_DISTRIBUTIONS)
    if found and os.path.realpath(found).endswith(f"python{python_version()}"):
        return found
    return os.path.realpath(sys.executable) if sys.prefix == sys.base_prefix else str(_base_executable())


def _base_executable() -> Path:
    """The Python that the running virtual environment was made of."""
    return Path(sys.base_prefix) / "bin" / f"python{python_version()}"


def _fill(directory: Path, source: Source, layout: HostLayout, system: System) -> None:
    system.run(python(), "-m", "venv", "--without-pip", str(directory))
    packages = directory / "lib" / f"python{python_version()}" / "site-packages"
    lock = source.lock()
    wheels.unpack(source.wheelhouse, lock, packages)
    wheels.unpack_one(source.wheel, packages)
    (directory / "requirements.lock").write_bytes(lock)
    command = directory / "bin/sampan"
    command.write_text(_COMMAND.format(python=layout.seen(directory / "bin/python")))
    command.chmod(0o755)
    # On all cores. Who runs a release may not write there.
    system.run(str(directory / "bin/python"), "-m", "compileall", "-q", "-j", "0", str(packages))


def _require_space(layout: HostLayout) -> None:
    there = next(path for path in (layout.releases, *layout.releases.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < _BYTES:
        raise HostError(
            f"{layout.opt} needs {_BYTES >> 20} MiB and {free >> 20} MiB are free there: make room, then run this again"
        )


def _stamp(source: Source) -> dict[str, str]:
    """What a release was made of: the same wheel by another Python is another release."""
    return {"wheel": source.digest, "python": python_version()}


def _made_of(layout: HostLayout, name: str) -> dict[str, str]:
    try:
        found = json.loads((layout.releases / name / COMPLETE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
