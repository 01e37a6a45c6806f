"""The machines' images: the result of debootstrap as an archive, and as the data of an engine.

`root.tar` is the root file system. `engine/data` is the data root of an engine that has imported it; a bed links its
files instead of importing 600 MB again.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from lab.errors import ImageFailed, LabError
from lab.hosts.engine import Engine
from lab.layout import CACHE_ROOT, NETNS_ROOT, HostPaths
from lab.machine import recipe
from lab.machine.recipe import Recipe
from netstack import namespaces
from tests.machine.bed.docker import Docker
from tests.machine.bed.imagecache import ImageCache, Step
from tests.machine.bed.rootfs import call, make_tree

_IMPORT_TIMEOUT_S: Final = 1200.0


def _make(recipe_: Recipe, scratch: Path, step: Step) -> None:
    with step(f"machine {recipe_.name}: root file system"):
        _bootstrap(recipe_, scratch)
    with step(f"machine {recipe_.name}: image"):
        _import(recipe_, scratch)


def _bootstrap(recipe_: Recipe, scratch: Path) -> None:
    """Write `made/root.tar`."""
    tree = scratch / "tree"
    make_tree(recipe_, tree)
    for name, text in recipe_.files.items():
        path = tree / name.lstrip("/")
        path.write_text(text)
        path.chmod(0o755)
    (scratch / "made").mkdir(mode=0o755)
    call("tar", "-C", str(tree), "--numeric-owner", "--one-file-system", "-cf", str(scratch / "made/root.tar"), ".")
    shutil.rmtree(tree)


def _import(recipe_: Recipe, scratch: Path) -> None:
    """Write `made/engine/data`, with a temporary engine."""
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
                docker.must("import", "-c", change, "-", recipe_.image, stdin=archive, timeout_s=_IMPORT_TIMEOUT_S)
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


IMAGES: Final = ImageCache(CACHE_ROOT / "machines", "machine", _make)
