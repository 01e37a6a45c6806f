"""Kinds of damage to a file on a disk. Each is applied to a copy and is the same every time."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Damage = Callable[[Path], None]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _cut(part: float) -> Damage:
    def harm(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: min(int(len(content) * part), len(content) - 1)])

    return harm


def _flipped(seed: int) -> Damage:
    def harm(path: Path) -> None:
        chance, content = random.Random(seed), bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

    return harm


def _scribbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + 64] = random.Random(1).randbytes(min(64, len(content) - half))
    path.write_bytes(content)


def _noise(path: Path) -> None:
    path.write_bytes(random.Random(2).randbytes(max(path.stat().st_size, 16)))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _directory(path: Path) -> None:
    _remove(path)
    path.mkdir()


def _dangling(path: Path) -> None:
    """A link to a file system that is not mounted."""
    _remove(path)
    path.symlink_to(path.parent / "nowhere" / path.name)


def _loop(path: Path) -> None:
    """A link to itself, which even root cannot open. Root ignores permission bits, so they would not help."""
    _remove(path)
    path.symlink_to(path.name)


DAMAGES: dict[str, Damage] = {
    "missing": _remove,
    "empty": _empty,
    "cut early": _cut(0.1),
    "cut in the middle": _cut(0.5),
    "cut late": _cut(0.9),
    "last byte lost": _cut(1.0),
    "scribbled": _scribbled,
    "noise": _noise,
    "directory": _directory,
    "dangling": _dangling,
    "loop": _loop,
    **{f"bit {seed}": _flipped(seed) for seed in range(6)},
}
BITS = tuple(name for name in DAMAGES if name.startswith("bit"))
CUTS = ("cut early", "cut in the middle", "cut late", "last byte lost")
GARBLED = ("scribbled", "noise")
UNREADABLE = ("directory", "loop")


@contextmanager
def nothing_elsewhere(config: Path) -> Iterator[None]:
    """Removes new files outside the directory of `config`, because a damaged configuration may have any path."""
    text = config.read_text(errors="replace") if config.is_file() else ""
    missing = [Path(path) for path in re.findall(r'"(/[^"\x00]+)"', text) if not Path(path).exists()]
    first_missing = {next(part for part in (*reversed(path.parents), path) if not part.exists()) for path in missing}
    try:
        yield
    finally:
        for path in first_missing:
            if path.exists() and not path.is_relative_to(config.parent):
                _remove(path)
