"""A cache of images that are built from recipes: a directory for each, which is complete or absent."""

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
"""Space for a tree and its image during a build."""

Step = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class ImageCache:
    """Images of one kind, below `root`. A directory is built elsewhere and renamed."""

    root: Path
    kind: str
    """The kind of machine, for messages."""
    make: Callable[[Recipe, Path, Step], None]
    """Builds an image of a recipe as `made` in a scratch directory. Raises ImageFailed."""
    inputs: tuple[int | str, ...] = ()
    """Further inputs of the key besides the recipe, such as a format number that is raised when the build changes."""

    def directory(self, recipe: Recipe) -> Path:
        """The directory of a recipe's image, which need not exist."""
        digest = hashlib.sha256(json.dumps([*self.inputs, recipe.key()]).encode()).hexdigest()
        return self.root / f"{recipe.name}-{digest[:16]}"

    def is_built(self, recipe: Recipe) -> bool:
        """Whether the cache has the image."""
        return self.directory(recipe).is_dir()

    def build(self, recipe: Recipe, step: Step = lambda _: nullcontext()) -> Path:
        """The image's directory. A missing image is built, which takes minutes and downloads packages from a mirror.

        One process builds at a time; the others wait for it. Raises ImageFailed.
        """
        if self.is_built(recipe):
            return self.directory(recipe)
        require_root()
        self.root.mkdir(parents=True, exist_ok=True)
        require_space(self.root, _BYTES, f"the image of {self.kind} {recipe.name}")
        with exclusive(CACHE_ROOT / "locks" / f"{self.root.name}.lock"):
            if not self.is_built(recipe):
                self._build(recipe, step)
                self._remove_older(recipe)
        return self.directory(recipe)

    def _build(self, recipe: Recipe, step: Step) -> None:
        for path in self.root.glob("build-*"):  # left by killed builds: no other build runs while we hold the lock
            _remove_scratch(path)
        scratch = Path(tempfile.mkdtemp(prefix="build-", dir=self.root))
        try:
            self.make(recipe, scratch, step)
            (scratch / "made").rename(self.directory(recipe))
        finally:
            _remove_scratch(scratch)

    def _remove_older(self, recipe: Recipe) -> None:
        """Remove the images of older versions of the recipe, which take a gigabyte each."""
        for path in self.root.glob(f"{recipe.name}-*"):
            if path != self.directory(recipe):
                shutil.rmtree(path, ignore_errors=True)


def _remove_scratch(path: Path) -> None:
    """Also unmounts /proc and /sys, which an interrupted debootstrap leaves in its tree."""
    sweep.unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)
