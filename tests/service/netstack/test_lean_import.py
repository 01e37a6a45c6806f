"""How much of pyroute2 is imported: every agent keeps it in memory for as long as it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
from netstack.netlink import connection, reads, writes
from pyroute2.netlink.rtnl.iprsocket import IPRSocket
print(*(name for name in ("pyroute2.ndb.main", "pyroute2.ipdb", "sqlite3") if name in sys.modules))
"""


def test_only_the_needed_modules_of_pyroute2_are_loaded() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
