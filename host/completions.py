"""The completion scripts for shells, which travel in the wheel: the build writes them (host/build.py), install copies
them to where each shell looks.

A checkout that was not built has none.
"""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Final

FILE: Final = "completions.json"
"""In this package: absolute path on the host → text."""


def scripts() -> Mapping[str, str]:
    """Absolute path on the host → text."""
    file = resources.files(__package__) / FILE
    return dict(json.loads(file.read_text())) if file.is_file() else {}
