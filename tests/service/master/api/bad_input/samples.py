"""The kinds that bad input is tried on: all with `--long`, else kinds that have every form of field between them.

The machinery that refuses bad input knows no kind, so another kind of the same form shows nothing new.
"""

from __future__ import annotations

from typing import Final

import pytest

from master import kinds
from tests.sample_objects import FIXED_NAMES

# The kinds whose objects can be created with any name.
STORED: Final = tuple(
    kind for kind in kinds.ALL if kind.stored and "create" in kind.verbs and kind.kind not in FIXED_NAMES
)
# Pods have nested lists and maps, services and nodes values that depend
# on each other, events times, the passive kinds types that are only data.
SAMPLES: Final = tuple(
    kind
    for kind in STORED
    if kind.kind
    in ("Pod", "Service", "Node", "Secret", "Event", "EndpointSlice", "ServiceAccount", "StorageClass", "RuntimeClass")
)
EACH_KIND: Final = pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind in SAMPLES else pytest.mark.long, id=kind.kind) for kind in STORED],
)
