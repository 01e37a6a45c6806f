"""The pages about usage that this agent serves as a kubelet does: a table from paths to functions. Pure.

`PAGES` has, for each path, a function from the state and the parameters of a URL to a page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from agent.usage.cadvisor import Facts, cadvisor_metrics
from agent.usage.exposition import CONTENT_TYPE, text
from agent.usage.figures import Snapshot
from agent.usage.ownmetrics import Process, own_metrics
from agent.usage.resource import resource_metrics
from agent.usage.summary import summary

_TRUE: Final = ("true", "1", "t", "T", "TRUE", "True")
"""As Go reads a boolean."""


@dataclass(frozen=True, slots=True)
class State:
    """What the pages show."""

    snapshot: Snapshot
    facts: Facts
    process: Process
    """The agent's own."""


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page."""

    content_type: str
    body: bytes


Show = Callable[[State, str], Page]
"""Makes a page. The text: the parameters as in a URL, without the question mark."""


def _summary(state: State, parameters: str) -> Page:
    asked = parse_qs(parameters).get("only_cpu_and_memory", [""])[0]
    document = summary(state.snapshot, only_cpu_and_memory=asked in _TRUE)
    return Page("application/json", json.dumps(document, indent=1).encode())


def _resource(state: State, _: str) -> Page:
    return Page(CONTENT_TYPE, text(resource_metrics(state.snapshot)))


def _cadvisor(state: State, _: str) -> Page:
    return Page(CONTENT_TYPE, text(cadvisor_metrics(state.snapshot, state.facts)))


def _own(state: State, _: str) -> Page:
    return Page(CONTENT_TYPE, text(own_metrics(state.snapshot, state.process)))


PAGES: Final[Mapping[str, Show]] = {
    "/stats/summary": _summary,
    "/metrics": _own,
    "/metrics/resource": _resource,
    "/metrics/cadvisor": _cadvisor,
}
