"""Images for tests, in the format of `docker load`: any files, and a program that only waits."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Mapping

from agent.runtime import pause


def member(name: str, content: bytes = b"", *, mode: int = 0o644, **more: object) -> tuple[tarfile.TarInfo, bytes]:
    """A file of an archive, or with `type` something else."""
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, len(content)
    for field, value in more.items():
        setattr(info, field, value)
    return info, content


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An archive of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for info, content in members:
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def image(
    reference: str, files: Mapping[str, str], *, user: str = "", more: Iterable[tuple[tarfile.TarInfo, bytes]] = ()
) -> bytes:
    """An image whose processes only wait. `files`: content by path without a leading slash."""
    program = member("wait", pause.program(platform.machine()), mode=0o755)
    layer = tar([program, *(member(path, text.encode()) for path, text in files.items()), *more])
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": ["/wait"], "User": user},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    return tar(
        [
            member("config.json", json.dumps(config).encode()),
            member("layer.tar", layer),
            member("manifest.json", json.dumps(manifest).encode()),
        ]
    )
