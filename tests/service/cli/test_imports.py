"""What the command imports at start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_the_top_level_help_imports_no_command() -> None:
    code = (
        "import sys; from cli.main import main\ntry: main(['--help'])\nexcept SystemExit: print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = done.stdout.partition("LOADED ")[2].split()
    assert {name for name in loaded if name.startswith("cli")} == {
        "cli", "cli.commands", "cli.exits", "cli.main", "cli.output", "cli.parsing"
    }  # fmt: skip
    assert {"lab", "client", "host", "master", "agent"}.isdisjoint(loaded)


@pytest.mark.parametrize("command", ["master", "agent"])
def test_a_daemon_s_command_imports_nothing_of_the_lab(command: str) -> None:
    code = (
        f"import sys; from cli.main import main; main(['{command}', '--config', '/none.toml']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "cli" in loaded
    assert loaded.isdisjoint({"lab", "client", "netstack", "urllib3", "yaml", "docker", "psutil"})
