"""The official Python client creates, changes, lists, watches and deletes objects."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.programs import need


def test_the_python_client(kubeconfig: Path) -> None:
    command = [str(need("venv/bin/python")), str(Path(__file__).with_name("python_client.py")), "python-client"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, env={"KUBECONFIG": str(kubeconfig)})
    assert done.returncode == 0, done.stderr
