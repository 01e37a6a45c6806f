"""Builds the machines' root file system and keeps it in the cache, as an archive and as an engine's data.

`root.tar` is what debootstrap made. `engine/data` is the data root of an engine that has imported it: a bed links it
into its own instead of importing 600 MB again. A directory is complete or absent: built aside and renamed.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from lab import sweep
from lab.engine import Engine
from lab.environment import clean_environment, require_root, require_space
from lab.errors import ImageFailed, LabError
from lab.layout import CACHE_ROOT, NETNS_ROOT, HostPaths
from lab.machine import recipe
from lab.machine.docker import Docker
from lab.state import exclusive
from netstack import namespaces

ROOT: Final = CACHE_ROOT / "machines"
NAME: Final = "sampan/machine:1"
"""What the image is called inside of a bed's engine."""

_BYTES: Final = 3 << 30
"""The tree, the archive, and the engine's copy, while it is built."""
_TIMEOUT_S: Final = 1200.0

Step = Callable[[str], AbstractContextManager[None]]


def directory() -> Path:
    """Where the image of this recipe is, or will be."""
    return ROOT / recipe.key()


def is_built() -> bool:
    return directory().is_dir()


def build(step: Step = lambda _: nullcontext()) -> Path:
    """The image's directory; built unless the cache has it, which takes minutes and the distribution's mirror.

    One command builds at a time, the others wait for it. Raises ImageFailed.
    """
    if is_built():
        return directory()
    require_root()
    ROOT.mkdir(parents=True, exist_ok=True)
    require_space(ROOT, _BYTES, "the machines' image")
    with exclusive(CACHE_ROOT / "locks" / "machines.lock"):
        if not is_built():
            _remove_unfinished()
            scratch = Path(tempfile.mkdtemp(prefix="build-", dir=ROOT))
            try:
                with step("machine: root file system"):
                    _bootstrap(scratch)
                with step("machine: image"):
                    _import(scratch)
                (scratch / "made").rename(directory())
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            _forget_others()
    return directory()


def _remove_unfinished() -> None:
    """What a killed build left; nobody else builds while we hold the lock."""
    for path in ROOT.glob("build-*"):
        sweep.unmount_below(path)
        shutil.rmtree(path, ignore_errors=True)


def _bootstrap(scratch: Path) -> None:
    """Leave `made/root.tar`."""
    tree = scratch / "tree"
    packages = ",".join(recipe.PACKAGES)
    try:
        _call("debootstrap", "--variant=minbase", f"--include={packages}", recipe.SUITE, str(tree), recipe.MIRROR)
    except ImageFailed as error:
        log = tree / "debootstrap" / "debootstrap.log"
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise ImageFailed(f"{error}{''.join(f' ({line})' for line in last)}") from error
    for name in recipe.EMPTIED:
        for path in (tree / name.lstrip("/")).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, text in recipe.FILES.items():
        path = tree / name.lstrip("/")
        path.write_text(text)
        path.chmod(0o755)
    # Each machine gives itself one at its first boot, unless D-Bus has one that it may take over.
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (scratch / "made").mkdir(mode=0o755)
    _call("tar", "-C", str(tree), "--numeric-owner", "--one-file-system", "-cf", str(scratch / "made/root.tar"), ".")
    shutil.rmtree(tree)


def _import(scratch: Path) -> None:
    """Leave `made/engine/data`, by an engine that lives for this only."""
    name = f"sampan-machines-build-{os.getpid()}"
    paths = HostPaths(scratch / "host", NETNS_ROOT / name)
    engine = Engine(paths, f"/{name}", mirror="127.0.0.1:5000")
    namespaces.create(name)
    try:
        running = engine.start()
        try:
            engine.wait_ready(running)
            with (scratch / "made/root.tar").open("rb") as archive:
                change = f'CMD ["{recipe.INIT}"]'
                Docker(paths.engine_socket).must("import", "-c", change, "-", NAME, stdin=archive, timeout_s=_TIMEOUT_S)
        finally:
            engine.stop(running)
    except LabError as error:
        raise ImageFailed(f"the machines' image cannot be imported: {error}") from error
    finally:
        namespaces.delete(name)
    made = scratch / "made/engine/data"
    made.mkdir(parents=True)
    for part in ("image", "overlay2"):
        (paths.engine / "data" / part).rename(made / part)


def _forget_others() -> None:
    """Images of older recipes: each takes a gigabyte."""
    for path in ROOT.iterdir():
        if path != directory() and len(path.name) == len(recipe.key()) and "-" not in path.name:
            shutil.rmtree(path, ignore_errors=True)


def _call(*command: str) -> None:
    environment = clean_environment(DEBIAN_FRONTEND="noninteractive", LC_ALL="C", HOME="/root")
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageFailed(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise ImageFailed(f"{command[0]} failed: {lines[-1] if lines else 'no word of it'}")
