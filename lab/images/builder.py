"""Builds images from recipes and keeps them in the cache, each under the hash of its recipe.

An image is a directory of four files: `manifest.json` and `config.json` in a registry's format, `layer.tar.gz`, and
`packages.txt`, the list of its packages. A directory is complete or absent: it is built elsewhere and renamed.
"""

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from hull.lockfile import exclusive
from lab.images import layer, packages
from lab.images.recipes import ImageRecipe, LayerRecipe
from lab.layout import CACHE_ROOT

_FORMAT = 1
"""Part of every key; to be raised when a change of the builder changes the content of images."""

_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_FILES = Path(__file__).parent / "files"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in the cache."""

    recipe: ImageRecipe
    directory: Path

    @property
    def manifest(self) -> bytes:
        return self.directory.joinpath("manifest.json").read_bytes()

    @property
    def digest(self) -> str:
        return _digest(self.manifest)

    def blobs(self) -> tuple[Path, ...]:
        """The files that the registry must have before the manifest."""
        return self.directory / "layer.tar.gz", self.directory / "config.json"


def build(recipes: Iterable[ImageRecipe], cache: Path = CACHE_ROOT) -> list[BuiltImage]:
    """Build the images that the cache lacks; all of them are returned. One process builds at a time, others wait."""
    images = [BuiltImage(recipe, cache / "images" / key(recipe)) for recipe in recipes]
    if all(image.directory.is_dir() for image in images):
        return images
    with (
        exclusive(cache / "locks" / "images.lock"),
        tempfile.TemporaryDirectory(dir=_ensured(cache / "images")) as scratch,
    ):
        layers: dict[int, Path] = {}
        for image in images:
            if not image.directory.is_dir():
                built = layers.setdefault(id(image.recipe.layer), Path(scratch) / f"layer{len(layers)}")
                _build_layer(image.recipe.layer, built, cache)
                _build_image(image, built, Path(scratch))
    return images


def key(recipe: ImageRecipe) -> str:
    """The image's name and the hash of everything that determines its content, but for the packages' versions."""
    inputs = json.dumps([_FORMAT, platform.machine(), asdict(recipe)], sort_keys=True).encode()
    digest = hashlib.sha256(inputs)
    for name in sorted(recipe.layer.files.values()):
        digest.update((_FILES / name).read_bytes())
    return f"{recipe.name.replace('/', '-')}-{digest.hexdigest()[:16]}"


def _build_layer(recipe: LayerRecipe, target: Path, cache: Path) -> None:
    """Write `layer.tar`, `layer.tar.gz` and `packages.txt` into `target`, unless it exists."""
    if target.is_dir():
        return
    target.mkdir()
    archives = packages.download(recipe.packages, cache / "packages")
    packages.unpack(archives, target / "unpacked")
    root = target / "root"
    root.mkdir(mode=0o755)
    layer.assemble(recipe, target / "unpacked", root)
    tar = layer.pack(root)
    target.joinpath("layer.tar").write_bytes(tar)
    target.joinpath("layer.tar.gz").write_bytes(layer.compress(tar))
    target.joinpath("packages.txt").write_text("".join(f"{archive.name}\n" for archive in archives))


def _build_image(image: BuiltImage, built_layer: Path, scratch: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir=scratch))
    for name in ("layer.tar.gz", "packages.txt"):
        shutil.copy(built_layer / name, directory / name)
    config = json.dumps(_config(image.recipe, built_layer / "layer.tar"), sort_keys=True).encode()
    directory.joinpath("config.json").write_bytes(config)
    compressed = directory.joinpath("layer.tar.gz").read_bytes()
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, "size": len(config), "digest": _digest(config)},
        "layers": [{"mediaType": _LAYER_TYPE, "size": len(compressed), "digest": _digest(compressed)}],
    }
    directory.joinpath("manifest.json").write_text(json.dumps(manifest, indent=2))
    directory.chmod(0o755)
    directory.rename(image.directory)


def _config(recipe: ImageRecipe, tar: Path) -> dict[str, object]:
    """The image's configuration by Docker's image specification 1.2; with a fixed time, so that it is reproducible."""
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": list(recipe.entrypoint),
            "Cmd": list(recipe.command) or None,
            "ExposedPorts": {f"{port}/tcp": {} for port in recipe.ports},
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(tar.read_bytes())]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "sampan lab"}],
    }


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _ensured(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
