"""Installing runs on a Python without any package: the standard library, `host` and `hull` are all that it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import host, hull
for package in (hull, host):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.startswith(("host.check", "host.membership", "host.preflight")):
            importlib.import_module(module.name)
foreign = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"host", "hull", "__main__"}
print(*sorted(foreign))
"""

_WRITE_CONFIGURATIONS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from host import config, host_files
from host.layout import ROLES, HostLayout
layout = HostLayout(Path(sys.argv[2]))
for role in ROLES:
    config.text_of(role, layout, {"node_name": "n"} if role == "agent" else {"advertise_addresses": ["10.0.0.1"]})
sys.exit(host_files.main(ROLES, layout))
"""


def bare(script: str, *arguments: str) -> str:
    """The output of a script, run by a Python without site-packages."""
    command = [sys.executable, "-I", "-S", "-c", script, str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_installs_imports_nothing_but_the_standard_library_and_hull() -> None:
    assert bare(_IMPORT_ALL).split() == []


def test_configurations_and_units_are_written_on_a_bare_python(tmp_path: Path) -> None:
    assert "sampan-master.service" in bare(_WRITE_CONFIGURATIONS, str(tmp_path))
