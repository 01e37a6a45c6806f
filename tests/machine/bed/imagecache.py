"""ImageCache: what is built from recipes, a directory each that is complete or absent."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hull import sweep
from hull.lockfile import exclusive
from lab.environment import require_root, require_space
from lab.layout import CACHE_ROOT
from lab.machine.recipe import Recipe

_BYTES: Final = 3 << 30
"""A tree and what is made of it, while it is built."""

Step = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class ImageCache:
    """Images of one kind, below `root`. A directory is built aside and renamed."""

    root: Path
    kind: str
    """What stands before a recipe's name when one is told of it."""
    make: Callable[[Recipe, Path, Step], None]
    """Leaves `made` in the directory, which goes otherwise. Raises ImageFailed."""
    inputs: tuple[int | str, ...] = ()
    """What decides, beside the recipe, what comes out; a number among it is raised when the way of building changes."""

    def directory(self, wanted: Recipe) -> Path:
        """Where the image of a recipe is, or will be."""
        digest = hashlib.sha256(json.dumps([*self.inputs, wanted.key()]).encode()).hexdigest()
        return self.root / f"{wanted.name}-{digest[:16]}"

    def is_built(self, wanted: Recipe) -> bool:
        return self.directory(wanted).is_dir()

    def build(self, wanted: Recipe, step: Step = lambda _: nullcontext()) -> Path:
        """The image's directory; built unless it is there, which takes minutes and the distribution's mirror.

        One command builds at a time, the others wait for it. Raises ImageFailed.
        """
        if self.is_built(wanted):
            return self.directory(wanted)
        require_root()
        self.root.mkdir(parents=True, exist_ok=True)
        require_space(self.root, _BYTES, f"the image of {self.kind} {wanted.name}")
        with exclusive(CACHE_ROOT / "locks" / f"{self.root.name}.lock"):
            if not self.is_built(wanted):
                self._build(wanted, step)
                self._forget_older(wanted)
        return self.directory(wanted)

    def _build(self, wanted: Recipe, step: Step) -> None:
        for path in self.root.glob("build-*"):  # what a killed build left; nobody else builds while we hold the lock
            _remove_scratch(path)
        scratch = Path(tempfile.mkdtemp(prefix="build-", dir=self.root))
        try:
            self.make(wanted, scratch, step)
            (scratch / "made").rename(self.directory(wanted))
        finally:
            _remove_scratch(scratch)

    def _forget_older(self, wanted: Recipe) -> None:
        """Images of the same kind by older recipes: each takes a gigabyte."""
        for path in self.root.glob(f"{wanted.name}-*"):
            if path != self.directory(wanted):
                shutil.rmtree(path, ignore_errors=True)


def _remove_scratch(path: Path) -> None:
    """debootstrap that was interrupted leaves /proc and /sys mounted in its tree."""
    sweep.unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)
