"""A package index for machines without Internet, with the locked versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from host import build, bundle
from host.system import Commands
from lab.layout import CACHE_ROOT
from lab.machine.recipe import HOST

_BUILDS_WHEELS: Final = "setuptools"
"""The packages that pip needs to build a checkout's wheel (build-system in pyproject.toml)."""


def make(directory: Path) -> Path:
    """A directory for each project, with its wheels: as PEP 503 needs it of a server that lists directories."""
    for lock in ((build.CHECKOUT / "requirements.lock").read_bytes(), _locked(_BUILDS_WHEELS)):
        for wheel in bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=HOST.python, lock=lock).iterdir():
            project = directory / "simple" / re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()
            project.mkdir(parents=True, exist_ok=True)
            (project / wheel.name).symlink_to(wheel)
    return directory


@contextmanager
def served(directory: Path, address: str) -> Iterator[dict[str, str]]:
    """The environment with which pip uses this index and no other."""
    server = ThreadingHTTPServer((address, 0), partial(_Quiet, directory=str(directory)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {
            "PIP_INDEX_URL": f"http://{address}:{server.server_address[1]}/simple",
            "PIP_TRUSTED_HOST": address,
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _locked(name: str) -> bytes:
    """The entry of one project in the tests' lock."""
    text = (build.CHECKOUT / "requirements-dev.lock").read_text()
    entry = re.search(rf"^{re.escape(name)}==(?:[^\n]*\\\n)+[^\n]*\n", text, re.MULTILINE)
    assert entry is not None, f"{name} is not locked"
    return entry[0].encode()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass
