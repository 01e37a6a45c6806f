"""A file system layer as a reproducible tar: the same recipe and packages give the same bytes."""

import gzip
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from lab.errors import ImageFailed
from lab.images.recipes import LayerRecipe

_FILES = Path(__file__).parent / "files"


def assemble(recipe: LayerRecipe, unpacked: Path, root: Path) -> None:
    """Assemble the layer's tree below `root` from the unpacked packages and our own files. Raises ImageFailed."""
    for path, mode in recipe.directories.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path).chmod(mode)
    for target, source in recipe.take.items():
        _place((unpacked / source).resolve(), root / target)
    for pattern in recipe.keep:
        _keep(pattern, unpacked, root)
    for target, name in recipe.files.items():
        _place(_FILES / name, root / target)
        (root / target).chmod(0o755)
    if recipe.applets:
        _link_applets(root)
    if recipe.check:
        check = subprocess.run(["chroot", root, *recipe.check], check=False, capture_output=True, text=True, timeout=30)
        if check.returncode != 0:
            raise ImageFailed(f"{' '.join(recipe.check)} does not run in the image: {check.stderr.strip()}")


def pack(root: Path) -> bytes:
    """The tree as an uncompressed tar: sorted names, owner root, times zero."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            entry = archive.gettarinfo(path, arcname=str(path.relative_to(root)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = 0
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return buffer.getvalue()


def compress(tar: bytes) -> bytes:
    """gzip without a time in its header. Level 6 halves the time of a pull; higher levels gain nothing."""
    return gzip.compress(tar, compresslevel=6, mtime=0)


def _keep(pattern: str, unpacked: Path, root: Path) -> None:
    matches = sorted(unpacked.glob(pattern))
    if not matches:
        raise ImageFailed(f"no package contains {pattern}")
    for path in matches:
        _place(path, root / path.relative_to(unpacked))


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(source, target, follow_symlinks=False)
    except FileNotFoundError as error:
        raise ImageFailed(f"no package contains {source}") from error


def _link_applets(root: Path) -> None:
    """Make the links of `busybox --install` in the image's /bin; existing files stay."""
    listed = subprocess.run([root / "bin/busybox", "--list"], capture_output=True, text=True, check=True, timeout=30)
    for name in listed.stdout.split():
        link = root / "bin" / name
        if not link.exists():
            link.symlink_to("busybox")
