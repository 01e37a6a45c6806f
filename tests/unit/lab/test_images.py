"""Images: keys and reproducible layers."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import ImageFailed
from lab.images.builder import key
from lab.images.layer import assemble, compress, pack
from lab.images.recipes import IMAGES, ImageRecipe, LayerRecipe

LAYER = LayerRecipe(
    packages=("p",), take={"bin/tool": "usr/bin/tool"}, keep=("usr/lib/*.so",), directories={"tmp": 0o1777}
)
IMAGE = ImageRecipe(name="some/image", layer=LAYER, entrypoint=("/bin/tool",))


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    root = tmp_path / "unpacked"
    for name in ("usr/bin/tool", "usr/lib/a.so.1"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "usr/lib/a.so").symlink_to("a.so.1")
    return root


def test_a_layer_is_the_same_bytes_each_time(unpacked: Path, tmp_path: Path) -> None:
    layers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assemble(LAYER, unpacked, tmp_path / name)
        layers.append(pack(tmp_path / name))
    assert layers[0] == layers[1]
    assert compress(layers[0]) == compress(layers[1])
    with tarfile.open(fileobj=io.BytesIO(layers[0])) as archive:
        entries = {entry.name: entry for entry in archive}
    assert entries["tmp"].mode == 0o1777
    assert (entries["usr/lib/a.so"].linkname, entries["bin/tool"].size) == ("a.so.1", len("usr/bin/tool"))
    assert {(entry.uid, entry.mtime, entry.uname) for entry in entries.values()} == {(0, 0, "")}


@pytest.mark.parametrize(
    "recipe", [replace(LAYER, take={"x": "usr/none"}), replace(LAYER, keep=("none/*",))], ids=["take", "keep"]
)
def test_a_file_that_no_package_contains_is_an_error(recipe: LayerRecipe, unpacked: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageFailed, match="no package contains"):
        assemble(recipe, unpacked, tmp_path / "root")


def test_every_input_changes_the_key() -> None:
    others = [
        replace(IMAGE, tag="2"),
        replace(IMAGE, layer=replace(LAYER, packages=("q",))),
        replace(IMAGE, ports=(1,)),
    ]
    assert key(IMAGE) == key(replace(IMAGE))
    assert len({key(IMAGE), *map(key, others)}) == 4
    assert len({key(image) for image in IMAGES}) == len(IMAGES)


def test_repositories_are_named_as_engines_request_them() -> None:
    repositories = {image.reference: image.repository for image in IMAGES}
    assert repositories["tomcat:latest"] == "library/tomcat"
    assert repositories["kubeguide/redis-master:latest"] == "kubeguide/redis-master"
