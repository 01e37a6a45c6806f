"""Docker's SDK in the agent's process: without its client, and without an effect on others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def loaded(text: str) -> set[str]:
    """What a new process prints, in words."""
    command = [sys.executable, "-P", "-c", text]
    result = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True)
    return set(result.stdout.split())


def test_the_agent_does_not_load_the_client_of_the_sdk() -> None:
    """Each node pays for its memory."""
    modules = loaded("import sys, agent.assembly; print(*sys.modules)")
    assert "agent.runtime.convert" in modules
    assert not modules & {"docker", "requests", "urllib3", "charset_normalizer"}


def test_others_in_the_process_get_the_whole_sdk() -> None:
    text = "from agent.runtime import sdk; import docker; print(docker.APIClient.__name__, docker.types is sdk.types)"
    assert loaded(text) == {"APIClient", "False"}
    text = "import docker; from agent.runtime import sdk; print(docker.APIClient.__name__, docker.types is sdk.types)"
    assert loaded(text) == {"APIClient", "False"}
