"""`sampan bench`: installs what the figures need, and measures in a separate Python process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cli.progress import Progress
from tests.runner import child
from tests.runner.requirements import install_for


def run(areas: Sequence[str], json: Path | None) -> int:
    """The exit code of tests/bench."""
    machines = not areas or "real" in areas
    install_for(["tests/cluster", *(["tests/machine"] if machines else [])], Progress())
    extra = ["--json", str(json.absolute())] if json else []
    return child.run([sys.executable, "-m", "tests.bench", *areas, *extra])
