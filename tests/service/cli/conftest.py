"""`sampan` against a master's API server in the test's process."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.masters import Client, api, config, resources

__all__ = ["api", "config", "resources"]

Sampan = Callable[..., "asyncio.Future[tuple[int, str, str]]"]


@pytest.fixture
def sampan(api: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Sampan:
    """Runs a command; returns its exit code, stdout and stderr."""
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(kubeconfig(api)))

    async def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, [*words, "--kubeconfig", str(file)])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run  # type: ignore[return-value]


def kubeconfig(api: Client) -> dict[str, Any]:
    """The administrator's."""

    def encoded(path: Path) -> str:
        return b64encode(path.read_bytes()).decode()

    user = {
        "client-certificate-data": encoded(api.pki.admin.certificate),
        "client-key-data": encoded(api.pki.admin.key),
    }
    cluster = {
        "server": f"https://127.0.0.1:{api.port}",
        "certificate-authority-data": b64encode(api.pki.ca_pem).decode(),
    }
    return {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": user}],
    }
