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
from lab.machine.recipe import Recipe
from lab.state import exclusive
from netstack import namespaces

ROOT: Final = CACHE_ROOT / "machines"
_BYTES: Final = 3 << 30
"""The tree, the archive, and the engine's copy, while it is built."""
_TIMEOUT_S: Final = 1200.0

Step = Callable[[str], AbstractContextManager[None]]


def directory(wanted: Recipe) -> Path:
    """Where the image of a recipe is, or will be."""
    return ROOT / wanted.key()


def is_built(wanted: Recipe) -> bool:
    return directory(wanted).is_dir()


def build(wanted: Recipe, step: Step = lambda _: nullcontext()) -> Path:
    """The image's directory; built unless the cache has it, which takes minutes and the distribution's mirror.

    One command builds at a time, the others wait for it. Raises ImageFailed.
    """
    if is_built(wanted):
        return directory(wanted)
    require_root()
    ROOT.mkdir(parents=True, exist_ok=True)
    require_space(ROOT, _BYTES, "the machines' image")
    with exclusive(CACHE_ROOT / "locks" / "machines.lock"):
        if not is_built(wanted):
            _remove_unfinished()
            scratch = Path(tempfile.mkdtemp(prefix="build-", dir=ROOT))
            try:
                with step(f"machine {wanted.name}: root file system"):
                    _bootstrap(wanted, scratch)
                with step(f"machine {wanted.name}: image"):
                    _import(wanted, scratch)
                (scratch / "made").rename(directory(wanted))
            finally:
                remove_scratch(scratch)
            _forget_older(wanted)
    return directory(wanted)


def _remove_unfinished() -> None:
    """What a killed build left; nobody else builds while we hold the lock."""
    for path in ROOT.glob("build-*"):
        remove_scratch(path)


def remove_scratch(path: Path) -> None:
    """debootstrap that was interrupted leaves /proc and /sys mounted in its tree."""
    sweep.unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)


def _bootstrap(wanted: Recipe, scratch: Path) -> None:
    """Leave `made/root.tar`."""
    tree = scratch / "tree"
    make_tree(wanted, tree)
    for name, text in wanted.files.items():
        path = tree / name.lstrip("/")
        path.write_text(text)
        path.chmod(0o755)
    (scratch / "made").mkdir(mode=0o755)
    call("tar", "-C", str(tree), "--numeric-owner", "--one-file-system", "-cf", str(scratch / "made/root.tar"), ".")
    shutil.rmtree(tree)


def make_tree(wanted: Recipe, tree: Path) -> None:
    """The root file system of a recipe, as a directory. Raises ImageFailed."""
    packages = ",".join(wanted.packages)
    try:
        call("debootstrap", "--variant=minbase", f"--include={packages}", wanted.suite, str(tree), recipe.MIRROR)
    except ImageFailed as error:
        log = tree / "debootstrap" / "debootstrap.log"
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise ImageFailed(f"{error}{''.join(f' ({line})' for line in last)}") from error
    for name in recipe.EMPTIED:
        for path in (tree / name.lstrip("/")).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if wanted.setup:
        call("chroot", str(tree), "/bin/sh", "-euc", wanted.setup)
    # Each machine gives itself one at its first boot, unless D-Bus has one that it may take over.
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)


def _import(wanted: Recipe, scratch: Path) -> None:
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
                docker = Docker(paths.engine_socket)
                docker.must("import", "-c", change, "-", wanted.image, stdin=archive, timeout_s=_TIMEOUT_S)
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


def _forget_older(wanted: Recipe) -> None:
    """Images of the same kind by older recipes: each takes a gigabyte."""
    for path in ROOT.glob(f"{wanted.name}-*"):
        if path != directory(wanted):
            shutil.rmtree(path, ignore_errors=True)


def call(*command: str) -> None:
    """Run a program of a build. Raises ImageFailed with its last words."""
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
