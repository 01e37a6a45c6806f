"""A package index for machines without Internet. It has the locked versions of the packages that pip needs."""

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
"""pip fetches it to build the wheels of a checkout (pyproject.toml, build-system)."""


def make(directory: Path) -> Path:
    """Make a directory for each project, with its wheels: listed by a web server, they are an index (PEP 503)."""
    for lock in ((build.CHECKOUT / "requirements.lock").read_bytes(), _locked(_BUILDS_WHEELS)):
        for wheel in bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=HOST.python, lock=lock).iterdir():
            project = directory / "simple" / re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()
            project.mkdir(parents=True, exist_ok=True)
            (project / wheel.name).symlink_to(wheel)
    return directory


@contextmanager
def served(directory: Path, address: str) -> Iterator[dict[str, str]]:
    """Serve the index; the environment variables with which pip uses it and no other."""
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
    """One project's part of the tests' lock."""
    text = (build.CHECKOUT / "requirements-dev.lock").read_text()
    match = re.search(rf"^{re.escape(name)}==(?:[^\n]*\\\n)+[^\n]*\n", text, re.MULTILINE)
    assert match is not None, f"{name} is not locked"
    return match[0].encode()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass
