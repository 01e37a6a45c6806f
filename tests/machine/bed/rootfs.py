"""Makes the root file system of a recipe with debootstrap."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from lab.environment import clean_environment
from lab.errors import ImageFailed
from lab.machine import recipe
from lab.machine.recipe import Recipe
from tests.machine.bed.mirror import of_this_machine

_TIMEOUT_S: Final = 1200.0


def make_tree(recipe_: Recipe, tree: Path) -> None:
    """The root file system of a recipe, as a directory. Raises ImageFailed."""
    packages = ",".join(recipe_.packages)
    mirror = of_this_machine()
    try:
        call("debootstrap", "--variant=minbase", f"--include={packages}", recipe_.suite, str(tree), mirror.uri)
    except ImageFailed as error:
        log = tree / "debootstrap" / "debootstrap.log"
        details = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        details += [f"mirror {mirror.uri}" + (f": {mirror.reason}" if mirror.reason else "")]
        raise ImageFailed(f"{error} ({'; '.join(details)})") from error
    for name in recipe.EMPTIED:
        for path in (tree / name.lstrip("/")).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if recipe_.setup:
        call("chroot", str(tree), "/bin/sh", "-euc", recipe_.setup)
    # Each machine makes its own id at its first boot, unless it can take over one of D-Bus.
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)


def call(*command: str) -> None:
    """Run a program of a build. Raises ImageFailed with its last line."""
    environment = clean_environment(DEBIAN_FRONTEND="noninteractive", LC_ALL="C", HOME="/root")
    try:
        result = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageFailed(f"{command[0]}: {error}") from error
    if result.returncode != 0:
        lines = [line for line in (result.stderr + result.stdout).splitlines() if line.strip()]
        raise ImageFailed(f"{command[0]} failed: {lines[-1] if lines else 'no output'}")
