"""Images in the cache are complete or absent, and the image of a newer recipe replaces the older one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import ImageFailed
from lab.machine.recipe import Recipe
from tests.machine.bed import imagecache
from tests.machine.bed.imagecache import ImageCache, Step

RECIPE = Recipe("host", "bookworm", "3.11", ())


@pytest.fixture(autouse=True)
def without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagecache, "require_root", lambda: None)
    monkeypatch.setattr(imagecache, "CACHE_ROOT", tmp_path)


def made(recipe: Recipe, scratch: Path, step: Step) -> None:
    (scratch / "made").mkdir()
    (scratch / "made/disk").write_text(recipe.suite)


def failed(recipe: Recipe, scratch: Path, step: Step) -> None:
    (scratch / "made").mkdir()
    raise ImageFailed("no mirror answers")


def test_an_image_is_built_once(tmp_path: Path) -> None:
    images = ImageCache(tmp_path / "machines", "machine", made)
    assert not images.is_built(RECIPE)
    directory = images.build(RECIPE)
    assert (directory / "disk").read_text() == "bookworm"
    assert replace(images, make=failed).build(RECIPE) == directory


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    images = ImageCache(tmp_path / "machines", "machine", failed)
    with pytest.raises(ImageFailed):
        images.build(RECIPE)
    assert not images.is_built(RECIPE)
    assert list(images.root.iterdir()) == []


def test_a_build_removes_the_rest_of_killed_builds_and_the_images_of_older_recipes(tmp_path: Path) -> None:
    images = ImageCache(tmp_path / "machines", "machine", made)
    other = images.build(replace(RECIPE, name="crowded"))
    images.build(RECIPE)
    (images.root / "build-killed").mkdir()
    newer = images.build(replace(RECIPE, suite="trixie"))
    assert set(images.root.iterdir()) == {other, newer}
