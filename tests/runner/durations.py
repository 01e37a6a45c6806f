"""How long each file of tests took when that was last recorded: a run starts its longest files first.

`sampan test TIER --record-durations` writes durations.json; files that are not in it come last, in their usual order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("durations.json")
_SHORTEST_S: Final = 1.0
"""Files that take less are left out: their order makes no difference."""


def of(nodeid: str) -> float:
    """Seconds that the file of this test took, all its tests together."""
    return _recorded().get(nodeid.partition("::")[0], 0.0)


def record(stats: Mapping[str, Iterable[Any]]) -> None:
    """Replace the durations of the files whose tests ran; `stats` is the terminal reporter's."""
    took: dict[str, float] = defaultdict(float)
    for reports in stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                took[report.nodeid.partition("::")[0]] += report.duration
    known = {**_recorded(), **took}
    kept = {name: round(seconds, 1) for name, seconds in sorted(known.items()) if seconds >= _SHORTEST_S}
    FILE.write_text(json.dumps(kept, indent=2) + "\n")


@cache
def _recorded() -> dict[str, float]:
    try:
        return dict(json.loads(FILE.read_text()))
    except FileNotFoundError:
        return {}
